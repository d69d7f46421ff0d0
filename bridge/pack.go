package bridge

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sluice/bridge/envelope"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// Envelopes says how messages travel together, compressed, to a far end that
// unpacks them. What upstream is told of this gateway does not, nor what came in
// before there were epochs.
type Envelopes struct {
	To      string        // topic upstream of the envelopes; empty: each message travels by itself
	Gateway string        // who sends, for the far end
	Age     time.Duration // longest wait of a message for company; alarms never wait
	Size    int           // bytes of an envelope at most, unless a single message takes more
}

const (
	leastEnvelope = 1 << 10
	mostBody      = 128 << 10 // bytes of messages in an envelope, unless a single one is larger
	firstSqueeze  = 3         // what compressing is thought to save until it is known
	mostSqueeze   = 30
	telling       = 4 << 10 // bytes; of less, compressing makes less
)

// parcel is the records of a stream that wait for company, numbered without a gap
// and of one epoch.
type parcel struct {
	records []fed
	body    int       // bytes of their messages
	due     time.Time // they leave as soon as nothing more can be had
}

// press makes envelopes of parcels.
type press struct {
	envelope.Sealer
	squeeze float64 // how much smaller messages become; 0: not known
}

// packs reports whether r travels in an envelope.
func (l *link) packs(r fed) bool {
	return l.cfg.Envelopes.To != "" && r.Gap == nil && r.Epoch != 0
}

// pack adds r to the parcel of its stream, and sends that once it is full.
func (l *link) pack(ctx context.Context, r fed) error {
	p := &r.stream.parcel
	if !p.fits(r) {
		if err := l.sealAll(ctx, r.stream); err != nil {
			return err
		}
	}
	if len(p.records) == 0 {
		p.due = time.Now().Add(l.wait(r.stream))
	}
	p.records = append(p.records, r)
	p.body += envelope.Size(r.Message)
	if l.careful() || len(p.records) == envelope.MaxMessages || p.body >= l.full() {
		return l.seal(ctx, r.stream)
	}
	return nil
}

// wait is how long the first record of a parcel waits. A connection that is only
// there while it is needed waits for nothing.
func (l *link) wait(s *stream) time.Duration {
	if s.name == queue.Alarm || l.permit.lazy {
		return 0
	}
	return l.cfg.Envelopes.Age
}

// fits reports whether r can be in one envelope with those that wait.
func (p *parcel) fits(r fed) bool {
	if len(p.records) == 0 {
		return true
	}
	last := p.records[len(p.records)-1]
	return r.Seq == last.Seq+1 && r.Epoch == last.Epoch && p.body+envelope.Size(r.Message) <= mostBody
}

// most is how large an envelope may be now. With two of them in the window the link
// is never idle, and what is urgent waits behind no more than that. Until the link
// has shown a limit, and where nothing is urgent, one may fill the window.
func (l *link) most() int {
	window := l.meter.window
	if l.meter.limit || l.meter.urgent {
		window /= 2
	}
	return max(min(l.cfg.Envelopes.Size, window), leastEnvelope)
}

// full is how many bytes of messages such an envelope holds, as far as is known.
func (l *link) full() int {
	return min(int(float64(l.most())*cmp.Or(l.press.squeeze, firstSqueeze)), mostBody)
}

// overdue returns the most urgent stream with records that have waited for
// company long enough, unless a more urgent one has something to send.
func (l *link) overdue(streams []*stream) *stream {
	now := time.Now()
	for _, s := range streams {
		if p := &s.parcel; len(p.records) > 0 && !now.Before(p.due) && s.drained() {
			return s
		}
		if len(s.records) > 0 {
			return nil
		}
	}
	return nil
}

// sealAll sends all that waits of the stream.
func (l *link) sealAll(ctx context.Context, s *stream) error {
	for len(s.parcel.records) > 0 {
		if err := l.seal(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// seal sends the records that wait, or as many of the first as fit into an envelope.
func (l *link) seal(ctx context.Context, s *stream) error {
	records := s.parcel.records
	if l.careful() {
		records = records[:1]
	}
	m, late, err := l.sealed(records)
	for len(records) > 1 && (err != nil || len(m.Payload) > l.most()) {
		records = records[:(len(records)+1)/2]
		m, late, err = l.sealed(records)
	}
	if err != nil {
		return err
	}
	s.parcel.drop(len(records))
	if len(records) == 1 && l.endless(m) {
		return l.bury(ctx, s.lane, records[0].Record, tooLong)
	}
	l.send(m, records, late)
	return nil
}

// sealed returns the envelope of the records, and how many of them are late.
func (l *link) sealed(records []fed) (m topic.Message, late int, err error) {
	e := envelope.Envelope{
		Source: envelope.Source{Gateway: l.cfg.Envelopes.Gateway, Bridge: l.cfg.ID, Lane: string(records[0].name)},
		Epoch:  records[0].Epoch, First: uint64(records[0].Seq),
	}
	body := 0
	for _, r := range records {
		m, n := l.worded(r)
		e.Messages = append(e.Messages, m)
		body += envelope.Size(m)
		late += n
	}
	payload, err := l.press.Seal(&e)
	if err != nil {
		return m, 0, fmt.Errorf("lane %s: %w", e.Lane, err)
	}
	if body >= telling {
		l.press.squeeze = min(max(float64(body)/float64(len(payload)), 1), mostSqueeze)
	}
	return topic.Message{Topic: l.cfg.Envelopes.To, Payload: payload, QoS: 1}, late, nil
}

// drop takes the first n records out.
func (p *parcel) drop(n int) {
	for _, r := range p.records[:n] {
		p.body -= envelope.Size(r.Message)
	}
	p.records = append([]fed(nil), p.records[n:]...)
}
