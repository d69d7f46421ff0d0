package bridge

import (
	"hash/maphash"
	"slices"
	"strings"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// maxOvertaking bounds the topics that are told apart while a backlog waits.
const maxOvertaking = 1 << 16

// overtaken knows what live messages have passed a backlog, so that a topic never
// goes back in time: what is sent behind a newer message of its topic goes
// elsewhere. A topic that nothing new came for is sent as ever, and its last
// value is the present one. The zero value knows of nothing.
type overtaken struct {
	seed   maphash.Seed
	newest map[uint64]queue.Seq // by the hash of the topic
	all    queue.Seq            // what is before counts as overtaken, whatever its topic
}

// sent takes note of a message that went past the backlog.
func (o *overtaken) sent(name string, seq queue.Seq) {
	if o.newest == nil {
		o.newest, o.seed = map[uint64]queue.Seq{}, maphash.MakeSeed()
	}
	key := maphash.String(o.seed, name)
	if _, known := o.newest[key]; !known && len(o.newest) == maxOvertaking {
		o.all = max(o.all, seq)
		return
	}
	o.newest[key] = seq
}

// late reports whether a newer message of the topic has been sent.
func (o *overtaken) late(name string, seq queue.Seq) bool {
	if seq < o.all {
		return true
	}
	return o.newest != nil && seq < o.newest[maphash.String(o.seed, name)]
}

// lateTo returns where a message goes that was overtaken on its topic.
func (b *Bridge) lateTo(name string) string {
	return strings.ReplaceAll(b.cfg.LateTo, "{topic}", name)
}

// checkLate reports why a message of the lane could not be sent late.
func (b *Bridge) checkLate(lane queue.Name, name string) error {
	if !slices.Contains(b.cfg.LiveFirst, lane) {
		return nil
	}
	return topic.CheckName(b.lateTo(name))
}

// worded returns r as it is sent now, and 1 if that is late.
func (l *link) worded(r fed) (m topic.Message, late int) {
	switch m = r.Message; {
	case r.Gap != nil:
		return l.cfg.Lost(r.name, *r.Gap), 0
	case r.live:
		r.passes(m.Topic, r.Seq)
	case r.overtaken.late(m.Topic, r.Seq):
		m.Topic, m.Retain = l.lateTo(m.Topic), false
		return m, 1
	}
	return m, 0
}

// passes takes note of a live message, for as long as there is a backlog to pass.
func (s *stream) passes(name string, seq queue.Seq) {
	if s.Acked() >= s.from {
		s.overtaken = overtaken{}
		return
	}
	s.overtaken.sent(name, seq)
}

// settle takes note that upstream has a message, and with it all before it in the
// stream.
func (s *stream) settle(seq queue.Seq) {
	if s.live {
		s.Settle(s.from, seq+1)
	} else {
		s.Ack(seq + 1)
	}
}

// maxRuns bounds what is remembered of earlier connections.
const maxRuns = 256

// run is the messages from from up to, but not including, to.
type run struct{ from, to queue.Seq }

// runs are messages that were sent, a run for each stream of a connection.
type runs []run

func (rs *runs) add(seq queue.Seq) {
	i := slices.IndexFunc(*rs, func(r run) bool { return r.from <= seq && seq <= r.to })
	if i >= 0 {
		(*rs)[i].to = max((*rs)[i].to, seq+1)
		return
	}
	if *rs = append(*rs, run{seq, seq + 1}); len(*rs) > maxRuns { // too much rather than too little
		first, second := (*rs)[0], (*rs)[1]
		*rs = (*rs)[1:]
		(*rs)[0] = run{min(first.from, second.from), max(first.to, second.to)}
	}
}

func (rs runs) has(seq queue.Seq) bool {
	return slices.ContainsFunc(rs, func(r run) bool { return r.from <= seq && seq < r.to })
}

// forget drops the runs that are settled.
func (rs *runs) forget(acked queue.Seq) {
	*rs = slices.DeleteFunc(*rs, func(r run) bool { return r.to <= acked })
}
