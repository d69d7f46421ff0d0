package bridge

import (
	"context"
	"fmt"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// To hang up is the only way in which MQTT 3.1.1 lets a broker refuse a message.
// So when connections end again and again soon after the same message was the
// first to be owed, one of those on their way is a suspect. Which one only shows
// when they are sent one at a time: a broker that hangs up may have acknowledged
// those before it in vain.
//
// Links and brokers that fail end connections as well. So the suspect is tried: on
// connections that were kept longer without it than they had lived with it, and by
// itself. What ends several of those in a row goes to the dead letters.
const (
	suspectTime  = 10 * time.Second // from sending to the end of the connection
	suspectAfter = 2                // connections, then messages go one at a time
	guiltyAfter  = 3                // trials
)

// suspect is a record that upstream seems not to bear.
type suspect struct {
	lane   *lane
	seq    queue.Seq
	times  int           // connections in a row that ended right after it was sent, with it the first owed
	trials int           // those of them that had shown to last without it
	took   time.Duration // the longest that it took to end one
	alone  int           // messages still to go one at a time
}

// proof is how long a connection must have lasted before the suspect is tried on
// it; 0: there is no trial.
func (s *suspect) proof() time.Duration {
	if s.alone == 0 || s.times == 0 {
		return 0
	}
	return 2 * s.took
}

// careful reports whether only one message at a time may be on its way. While the
// suspect has to wait, others need not.
func (l *link) careful() bool {
	s := &l.suspect
	return s.alone > 0 && (s.times == 0 || s.lane.rank < l.permit.lanes)
}

// arrived takes note that f was acknowledged. That clears the suspect if it was
// in f, or is no longer in the queue; others say nothing about it.
func (l *link) arrived(f flight) {
	s := &l.suspect
	in := f.lane == s.lane && f.Gap == nil && f.Seq <= s.seq && s.seq <= f.last
	if s.times == 0 || in || s.seq < s.lane.Acked() {
		s.cleared()
	}
}

// cleared takes note that one message less is to go by itself.
func (s *suspect) cleared() { *s = suspect{alone: max(s.alone-1, 0)} }

// acquitted takes note that a connection ended with nothing on its way.
func (s *suspect) acquitted() { *s = suspect{alone: s.alone} }

// suspectHead looks at what was on its way when the connection ended, all of which
// has failed.
func (l *link) suspectHead(ctx context.Context) error {
	of := l.owes()
	if len(of) == 0 {
		l.suspect.acquitted()
		l.doubtSaid()
		return nil
	}
	head, alone, took := of[0], len(l.flights) == 1, time.Since(of[0].at)
	owed := l.owed()
	l.flights = nil
	if head.Gap != nil || took > suspectTime {
		return nil
	}
	s := &l.suspect
	if s.lane != head.lane || s.seq != head.Seq {
		*s = suspect{lane: head.lane, seq: head.Seq, alone: s.alone}
	}
	if alone && owed == 1 && s.proof() > 0 {
		s.trials++
	}
	s.times++
	s.took = max(s.took, took)
	if s.times >= suspectAfter {
		s.alone = max(s.alone, owed)
	}
	if s.trials < guiltyAfter {
		return nil
	}
	s.cleared()
	l.progressed = true // what comes next deserves a try
	return l.bury(ctx, head.lane, head.Record, fmt.Sprintf("upstream hung up on it %d times, with nothing else on its way", guiltyAfter))
}

// tooLong is why what is endless is given up.
const tooLong = "takes the link longer than the keepalive"

// endless reports whether m cannot arrive: the broker hangs up when nothing whole
// came for one and a half keepalives, and other things want to be sent, too. Only
// a link that was measured at its limit can tell.
func (l *link) endless(m topic.Message) bool {
	return l.meter.limit && l.cfg.KeepAlive > 0 && l.meter.takes(size(m)) > l.cfg.KeepAlive
}

// bury takes a record out of the way of all behind it. Nobody has to wait for it
// again, but it can be looked at, and sent again, from the dead letters.
func (l *link) bury(ctx context.Context, from *lane, r queue.Record, why string) error {
	if err := from.Bury(ctx, r, why); err != nil {
		return err
	}
	l.log.Error("gave up a message, which is now a dead letter", "lane", from.name, "seq", uint64(r.Seq),
		"topic", r.Message.Topic, "bytes", size(r.Message), "why", why)
	return nil
}
