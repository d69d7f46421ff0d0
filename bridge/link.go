package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

const (
	farewellTime = 500 * time.Millisecond // for the PUBACK of the farewell, after DrainTime
	closeTime    = 250 * time.Millisecond // for DISCONNECT to leave
)

var errStalled = errors.New("upstream sent no PUBACK")

// link is one connection as Run sees it.
type link struct {
	*Bridge
	session    Session
	meter      meter
	flights    []flight // sent and not acknowledged, in sequence
	streams    []*stream
	press      press
	probe      probe
	back       failBack
	proven     time.Time // when the connection has lasted long enough to try a suspect on it
	sayable    time.Time // the same for what is said
	progressed bool      // a cursor moved
	stalled    bool      // this side gave up
	quiet      time.Time // since when it is not needed; zero: it is
	leaving    string    // why it is about to end as planned; empty: it is not
}

// flight is one record on its way, or several in an envelope, or what is said.
type flight struct {
	*stream           // nil: it is not of the queue
	queue.Record      // the first
	straight     bool // past the queue
	last         queue.Seq
	count        int
	bytes        int // that the PUBACK answers for
	at           time.Time
	acked        <-chan error
}

// run announces this gateway, then sends from the acknowledged cursors on until
// the connection ends or ctx does. Nothing is sent before upstream has the
// birth, so that whoever reads a value there knows which session it is from.
func (l *link) run(ctx context.Context) (err error) {
	if err := l.birth(ctx); err != nil {
		return err
	}
	l.planFailBack()
	defer func() { l.endFailBack(errors.Is(err, errLeave)) }()
	f := feed(ctx, l.lanes)
	defer f.end()
	l.streams = f.streams
	l.proven = time.Now().Add(l.suspect.proof())
	l.sayable = time.Now().Add(l.doubt.proof())
	defer l.endProbe()
	return l.pump(ctx, f)
}

// birth publishes the birth and waits for its PUBACK.
func (l *link) birth(ctx context.Context) error {
	reason := "start"
	switch {
	case l.born && l.ways.at != l.bornAt:
		reason = "failover"
	case l.born:
		reason = "reconnect"
	}
	m := l.cfg.Birth(l.conn, reason)
	now := time.Now()
	l.meter.sent(now, size(m))
	waiting, cancel := context.WithDeadlineCause(ctx, l.meter.deadline(), errStalled)
	defer cancel()
	err := await(waiting, l.session.Publish(m))
	switch {
	case errors.Is(err, errStalled):
		return l.stall()
	case err != nil:
		return fmt.Errorf("birth: %w", err)
	}
	l.meter.born(time.Now(), time.Since(now))
	l.connected(reason)
	return nil
}

// await returns what acked yields, or why ctx ended.
func await(ctx context.Context, acked <-chan error) error {
	select {
	case err := <-acked:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pump sends what the lanes yield within the window, and moves their cursors
// with the PUBACKs.
func (l *link) pump(ctx context.Context, f *feeder) error {
	var unreadable error
	patience, agenda := time.NewTimer(0), time.NewTimer(0)
	defer patience.Stop()
	defer agenda.Stop()
	defer l.turns.End()
	for {
		l.turns.Begin()
		p := l.permitted(time.Now())
		l.speak()
		if unreadable == nil && l.leaving == "" {
			unreadable = l.fill(ctx, f, p.lanes)
		}
		l.rest(time.Now(), p, f)
		if l.leaving != "" && len(l.flights) == 0 {
			return errLeave
		}
		l.tryFailBack(ctx)
		due := agenda.C
		if next := l.agenda(time.Now(), p); next.IsZero() {
			due = nil
		} else {
			agenda.Reset(time.Until(next))
		}
		more, head, lost, suspicious := f.more, (<-chan error)(nil), l.session.Lost(), patience.C
		switch {
		case len(l.flights) > 0:
			head, lost = l.flights[0].acked, nil // head yields the loss, behind the last PUBACK
			patience.Reset(time.Until(l.probe.due(l.meter.doubt(), l.meter.progress)))
		case unreadable != nil:
			return unreadable
		default:
			suspicious = nil
		}
		l.turns.End()
		select {
		case <-more:
		case <-l.saying:
		case <-l.straight.more:
		case err := <-head:
			l.turns.Begin()
			if err != nil {
				return errors.Join(err, l.suspectHead(ctx))
			}
			l.landed()
		case <-lost:
			l.suspect.acquitted()
			l.doubt = doubt{}
			return l.session.Err()
		case r := <-l.probe.result:
			l.answered(r)
		case r := <-l.back.result:
			l.foundWay(r)
		case <-due:
		case <-suspicious:
			if l.look(ctx) {
				return l.stall()
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fill sends for as long as there is something, and room. What is owed comes
// before the error of a lane that cannot be read.
func (l *link) fill(ctx context.Context, f *feeder, lanes int) error {
	for l.room() {
		if s := l.overdue(f.of(lanes)); s != nil {
			if err := l.seal(ctx, s); err != nil {
				return err
			}
			continue
		}
		if l.straight.turn && l.pass(lanes) {
			continue
		}
		r, ok := f.take(lanes)
		if !ok && l.pass(lanes) {
			continue
		}
		if !ok {
			return nil
		}
		l.straight.turn = true
		if r.err != nil {
			return r.err
		}
		if err := l.dispatch(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// dispatch sends r, by itself or with others.
func (l *link) dispatch(ctx context.Context, r fed) error {
	if l.packs(r) {
		return l.pack(ctx, r)
	}
	if err := l.sealAll(ctx, r.stream); err != nil {
		return err
	}
	m, late := l.worded(r)
	if r.Gap == nil && l.endless(m) {
		return l.bury(ctx, r.lane, r.Record, tooLong)
	}
	l.send(m, []fed{r}, late)
	return nil
}

// room reports whether another message may be sent now.
func (l *link) room() bool {
	if l.pace.due().After(time.Now()) {
		return false
	}
	switch {
	case l.careful():
		return len(l.flights) == 0 && !l.proven.After(time.Now())
	case l.trying():
		return len(l.flights) == 0
	}
	return l.meter.room()
}

// send sends m, which holds the records, late ones so many.
func (l *link) send(m topic.Message, records []fed, late int) {
	head, last := records[0], records[len(records)-1]
	f := flight{stream: head.stream, Record: head.Record, last: last.Seq, count: len(records), at: time.Now()}
	f.acked = l.session.Publish(m)
	f.bytes = l.meter.sent(f.at, size(m))
	l.flights = append(l.flights, f)
	l.pace.sent(f.at, size(m))
	again := 0
	for _, r := range records {
		if r.Gap != nil {
			continue
		}
		if r.tried.has(r.Seq) {
			again++
		}
		r.tried.add(r.Seq)
	}
	l.update(func(s *Stats) {
		s.Sent += uint64(len(records))
		s.Resent += uint64(again)
		s.Late += uint64(late)
		l.show(s)
	})
}

// landed takes note that upstream has the oldest flight. PUBACKs are waited for in
// the order of sending, so what lands is the next of its lane.
func (l *link) landed() {
	f := l.flights[0]
	l.flights = l.flights[1:]
	now := time.Now()
	l.meter.acked(now, f.bytes, now.Sub(f.at))
	if l.probe.path != nil {
		l.faded()
	}
	if f.said() {
		if f.spoken() {
			l.heard()
		}
		l.update(l.show)
		return
	}
	l.progressed = true
	if f.Gap != nil {
		f.Told(*f.Gap)
	} else {
		f.settle(f.last)
	}
	l.arrived(f)
	l.update(func(s *Stats) {
		s.Delivered += uint64(f.count)
		l.show(s)
	})
}

// owed is how many records are on their way.
func (l *link) owed() (n int) {
	for _, f := range l.flights {
		n += f.count
	}
	return n
}

func (l *link) show(s *Stats) {
	s.InFlight, s.InFlightBytes, s.Window = l.owed(), l.meter.owed, l.meter.window
	s.RTT, s.RTTMin, s.Rate = l.meter.srtt, l.meter.rttMin, int(l.meter.rate)
}

// stall is a loss that this side declares.
func (l *link) stall() error {
	l.stalled = true
	l.update(func(s *Stats) { s.Stalls++ })
	return fmt.Errorf("%w for %v, %d messages owed", errStalled,
		time.Since(l.meter.progress).Round(time.Millisecond), l.meter.flights)
}

// part ends the connection as planned. The farewell goes out behind what was
// sent, so that one round trip is enough for the PUBACKs of all. Without the
// farewell's the will must stay, or upstream would show this gateway online for
// ever.
func (l *link) part(reason string) {
	defer l.disconnected()
	farewell := l.session.Publish(l.cfg.Farewell(l.conn, reason))
	waiting, cancel := context.WithTimeout(context.Background(), l.cfg.DrainTime+farewellTime)
	defer cancel()
	for len(l.flights) > 0 && await(waiting, l.flights[0].acked) == nil {
		l.landed()
	}
	if err := await(waiting, farewell); err != nil {
		l.session.Close(ended())
		l.log.Warn("upstream did not acknowledge the farewell", "err", err)
		return
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := l.session.Close(closing); err != nil {
		l.log.Warn("upstream may not know that the connection was closed", "err", err)
	}
}

// abandon cuts a connection that failed.
func (l *link) abandon() {
	l.session.Close(ended())
	l.disconnected()
}

// ended returns a context that has ended: with it Close cuts.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// size is what m takes on the link, TCP and below not counted.
func size(m topic.Message) int { return len(m.Topic) + len(m.Payload) + 7 }
