package sim

import (
	"slices"
	"time"
)

// agenda is what is still to happen, soonest first; what happens at the same
// instant happens in the order it was added.
type agenda []event

// event is something that happens at an instant after the origin of the wire.
type event struct {
	at  time.Duration
	run func(at time.Duration)
}

func (a *agenda) add(at time.Duration, run func(at time.Duration)) {
	i := len(*a)
	for i > 0 && (*a)[i-1].at > at {
		i--
	}
	*a = slices.Insert(*a, i, event{at, run})
}

// advance runs what is due by now, and what that brings about by now.
func (a *agenda) advance(now time.Duration) {
	for len(*a) > 0 && (*a)[0].at <= now {
		e := (*a)[0]
		*a = slices.Delete(*a, 0, 1)
		e.run(e.at)
	}
}
