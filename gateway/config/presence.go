package config

import (
	"time"

	"sluice/mapping"
)

// Presence is what a bridge tells upstream of this gateway beside its birth and its
// end.
type Presence struct {
	Heartbeat time.Duration // between two; 0: none
	Watch     bool          // subscribe to our own state and to roll calls
}

// minHeartbeat bounds `heartbeat`.
const minHeartbeat = 5 * time.Second

// presence reads `heartbeat` and `watch` of a bridge.
func presence(m mapping.Map, p Profile) Presence {
	n := m.Get("heartbeat")
	every := n.Duration(0, 24*time.Hour, p.Heartbeat)
	if every > 0 && every < minHeartbeat {
		n.Problem("write 5s or more, or 0s for none", "%s is too short for a heartbeat", mapping.FormatDuration(every))
	}
	return Presence{Heartbeat: every.Truncate(time.Second), Watch: m.Get("watch").Bool(true)}
}
