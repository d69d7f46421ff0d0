package bridge

import (
	"time"

	"sluice/broker/topic"
)

const maxSaid = 16 // messages that wait to be said

// Say publishes m with QoS 1 on the connection that there is, ahead of the queue,
// once: it is for what is only true now, such as a heartbeat. It reports false when
// there is no connection, or upstream has shown in the last hour that it does not
// bear such messages.
func (b *Bridge) Say(m topic.Message) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stats.Connected || b.mute.After(time.Now()) || len(b.said) == maxSaid {
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
	for l.leaving == "" && l.mayTry() && l.room() {
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

func (b *Bridge) toSay() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.said) > 0
}

// said reports whether f is not of the queue.
func (f *flight) said() bool { return f.stream == nil }

// spoken reports whether f came by Say.
func (f *flight) spoken() bool { return f.said() && !f.straight }

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
