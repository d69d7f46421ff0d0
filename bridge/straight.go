package bridge

import (
	"time"

	"sluice/broker/topic"
)

// Some messages are worth nothing a minute later, and not worth the flash: rules
// that say so send them straight, with QoS 0, while there is a connection. They
// share the link evenly with the lanes, since what cannot wait would never be sent
// beside a backlog, and must not hold it up either.
const (
	maxStraight = 64 // messages that wait for room; more are dropped

	// Nobody answers a message of QoS 0, so one in so many bytes goes with QoS 1:
	// its PUBACK says that the link has taken those before it.
	unanswered = 4 // as a part of the window
)

// straight are the messages on that way.
type straight struct {
	queue chan topic.Message
	more  chan struct{} // there may be one
	turn  bool          // of Run: the lanes were served last
}

func newStraight() straight {
	return straight{queue: make(chan topic.Message, maxStraight), more: make(chan struct{}, 1)}
}

// offerStraight sends m if it can be sent soon.
func (b *Bridge) offerStraight(m topic.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stats.Connected && len(b.straight.queue) < maxStraight {
		b.straight.queue <- m
		select {
		case b.straight.more <- struct{}{}:
		default:
		}
	} else {
		b.stats.Missed++
	}
}

// endStraight drops what can no longer be sent soon. The mutex is held.
func (b *Bridge) endStraight(s *Stats) {
	for len(b.straight.queue) > 0 {
		<-b.straight.queue
		s.Missed++
	}
}

// pass sends one message straight, if there is one, and reports whether it did.
// While upstream does not bear some message the others wait for the verdict.
func (l *link) pass(lanes int) bool {
	if lanes < 2 || l.careful() {
		return false
	}
	select {
	case m := <-l.straight.queue:
		l.sendStraight(m)
		l.straight.turn = false
		return true
	default:
		return false
	}
}

func (l *link) sendStraight(m topic.Message) {
	now, n, sent := time.Now(), size(m), true
	switch {
	case l.endless(m):
		sent = false
	case l.meter.spoken+n > l.meter.window/unanswered:
		f := flight{straight: true, bytes: l.meter.sent(now, n), at: now, acked: l.session.Publish(m)}
		l.flights = append(l.flights, f)
	default:
		if sent = l.session.Send(m); sent {
			l.meter.spoke(n)
		}
	}
	if sent {
		l.pace.sent(now, n)
	}
	l.update(func(s *Stats) {
		if sent {
			s.Straight++
		} else {
			s.Missed++
		}
		l.show(s)
	})
}
