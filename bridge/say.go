package bridge

import (
	"time"

	"sluice/broker/topic"
)

const (
	maxSaid   = 16 // messages that wait to be said
	muteAfter = 3  // connections in a row that ended on what was said
)

// Say publishes m with QoS 1 on the connection that there is, ahead of the queue,
// once: it is for what is only true now, such as a heartbeat. It reports false when
// there is no connection, or upstream does not bear such messages.
func (b *Bridge) Say(m topic.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stats.Connected || b.muted >= muteAfter || len(b.said) == maxSaid {
		return false
	}
	b.said = append(b.said, m)
	select {
	case b.saying <- struct{}{}:
	default:
	}
	return true
}

// speak sends what is to be said.
func (l *link) speak() {
	for l.leaving == "" && l.room() {
		m, ok := l.nextSaid()
		if !ok {
			return
		}
		f := flight{at: time.Now(), acked: l.session.Publish(m)}
		f.bytes = l.meter.sent(f.at, size(m))
		l.flights = append(l.flights, f)
		l.pace.sent(f.at, size(m))
	}
}

func (b *Bridge) nextSaid() (topic.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) == 0 {
		return topic.Message{}, false
	}
	m := b.said[0]
	b.said = b.said[1:]
	return m, true
}

// said reports whether f is not of the queue.
func (f *flight) said() bool { return f.stream == nil }

// heard takes note that upstream has what was said.
func (l *link) heard() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.muted = 0
}

// owes returns the flights that are of the queue.
func (l *link) owes() []flight {
	var of []flight
	for _, f := range l.flights {
		if !f.said() {
			of = append(of, f)
		}
	}
	return of
}

// doubtSaid looks whether a connection ended on something that was said, alone: a
// broker that lets nobody publish that has no other way to tell.
func (l *link) doubtSaid() {
	f, owed := l.flights[0], len(l.flights)
	l.flights = nil
	if f.straight || owed > 1 || time.Since(f.at) > suspectTime {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.muted++; l.muted == muteAfter {
		l.log.Error("upstream hangs up on health and state of this gateway, nothing more is said: let it publish to its topics, or turn heartbeat and watch off")
	}
}
