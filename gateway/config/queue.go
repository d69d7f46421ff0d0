package config

import (
	"strings"
	"time"

	"sluice/broker/topic"
	"sluice/mapping"
)

// Queue is the bridge's store on flash: three lanes with limits of their own.
type Queue struct {
	Alarm, Telemetry, Bulk Lane

	LateTo string // topic of what is sent behind newer messages of its own, in which {topic} stands for that
}

// Lane is the limits of one lane.
type Lane struct {
	Bytes       int64
	Reserve     int64         // part of Bytes that is set aside from the start; 0: the least
	Keep        time.Duration // messages older than this are dropped; 0: none is
	DropOldest  bool          // at the limit; else new messages are refused
	CommitDelay time.Duration
	LiveFirst   bool // after an outage new messages are sent first
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
	m := n.Map(append(laneKeys(), "late_to", "lanes")...)
	lanes := m.Get("lanes").Map("alarm", "bulk")
	q := Queue{
		Telemetry: lane(m, 256<<20, 200*time.Millisecond),
		Alarm:     lane(lanes.Get("alarm").Map(laneKeys()...), 16<<20, 20*time.Millisecond),
		Bulk:      lane(lanes.Get("bulk").Map(laneKeys()...), 64<<20, 2*time.Second),
	}
	q.Alarm.Reserve = alarmReserve
	q.LateTo = r.lateTo(m.Get("late_to"))
	return q
}

func laneKeys() []string { return []string{"size", "keep", "when_full", "commit_delay", "order"} }

func lane(m mapping.Map, size int64, delay time.Duration) Lane {
	return Lane{
		Bytes:       m.Get("size").Size(minQueue, maxQueue, size),
		Keep:        m.Get("keep").Duration(0, maxKeep, 0),
		DropOldest:  m.Get("when_full").Choice("drop-oldest", "reject") == "drop-oldest",
		CommitDelay: m.Get("commit_delay").Duration(0, maxCommitDelay, delay),
		LiveFirst:   m.Get("order").Choice("fifo", "live-first") == "live-first",
	}
}

// lateTo reads where messages go that newer ones of their topic have overtaken:
// not where those go, or what was would be taken for what is.
func (r *reader) lateTo(n mapping.Node) string {
	if !n.Present() {
		return "late/{topic}"
	}
	to := r.expand(n, "{topic}")
	if to == "{topic}" || !strings.Contains(to, "{topic}") {
		n.Problem("write \"late/{topic}\"", "%q would not keep late messages apart, each by its own topic", n.Text())
	} else if err := topic.CheckName(strings.ReplaceAll(to, "{topic}", "x")); err != nil {
		n.Problem("write topic levels and {topic}, e.g. \"late/{topic}\"", "%q: %s", n.Text(), err)
	}
	return to
}
