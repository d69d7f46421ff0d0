package config

import (
	"time"

	"sluice/mapping"
)

// Queue is the bridge's store on flash: three lanes with limits of their own.
type Queue struct {
	Alarm, Telemetry, Bulk Lane
}

// Lane is the limits of one lane.
type Lane struct {
	Bytes       int64
	Reserve     int64         // part of Bytes that is set aside from the start; 0: the least
	Keep        time.Duration // messages older than this are dropped; 0: none is
	DropOldest  bool          // at the limit; else new messages are refused
	CommitDelay time.Duration
}

// Limits of lanes.
const (
	minQueue       = 4 << 20
	maxQueue       = 1 << 40
	maxKeep        = 100 * 365 * 24 * time.Hour
	maxCommitDelay = time.Minute
	alarmReserve   = 4 << 20
)

// queue reads the limits of telemetry and, in lanes, of the other two.
func (r *reader) queue(n mapping.Node) Queue {
	m := n.Map("size", "keep", "when_full", "commit_delay", "lanes")
	lanes := m.Get("lanes").Map("alarm", "bulk")
	q := Queue{
		Telemetry: lane(m, 256<<20, 200*time.Millisecond),
		Alarm:     lane(lanes.Get("alarm").Map(laneKeys()...), 16<<20, 20*time.Millisecond),
		Bulk:      lane(lanes.Get("bulk").Map(laneKeys()...), 64<<20, 2*time.Second),
	}
	q.Alarm.Reserve = alarmReserve
	return q
}

func laneKeys() []string { return []string{"size", "keep", "when_full", "commit_delay"} }

func lane(m mapping.Map, size int64, delay time.Duration) Lane {
	return Lane{
		Bytes:       m.Get("size").Size(minQueue, maxQueue, size),
		Keep:        m.Get("keep").Duration(0, maxKeep, 0),
		DropOldest:  m.Get("when_full").Choice("drop-oldest", "reject") == "drop-oldest",
		CommitDelay: m.Get("commit_delay").Duration(0, maxCommitDelay, delay),
	}
}
