package bridge

import (
	"time"

	"sluice/bridge/queue"
)

const (
	suspectTime  = 10 * time.Second
	suspectTimes = 3
)

// suspect is a record that upstream seems not to bear.
type suspect struct {
	seq   queue.Seq
	times int // connections that ended right after it was sent
}

// suspectHead looks for a message that makes upstream hang up, which is the only
// way to refuse one that MQTT 3.1.1 gives it. The message is reported and sent
// again: to skip it would be to lose it.
func (l *link) suspectHead() {
	head := l.flights[0]
	if time.Since(head.at) > suspectTime {
		return
	}
	if l.suspect.seq != head.seq {
		l.suspect = suspect{seq: head.seq}
	}
	l.suspect.times++
	if l.suspect.times == suspectTimes {
		l.update(func(s *Stats) { s.Suspects++ })
		l.log.Error("upstream hangs up whenever it gets this message, which is kept and holds up all behind it",
			"seq", uint64(head.seq), "topic", head.topic, "bytes", head.bytes)
	}
}
