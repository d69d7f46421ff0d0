package gateway

import (
	"path/filepath"

	"sluice/bridge/queue"
	"sluice/gateway/config"
)

// QueueDir is where the queue of a bridge lives in a state folder.
func QueueDir(stateDir, bridge string) string { return filepath.Join(stateDir, "queue", bridge) }

// QueueConfig describes the queue of a bridge.
func QueueConfig(c config.Bridge, stateDir string) queue.Config {
	return queue.Config{Dir: QueueDir(stateDir, c.ID), Epochs: c.Envelope.To != "", Lanes: map[queue.Name]queue.Limits{
		queue.Alarm:     limits(c.Queue.Alarm),
		queue.Telemetry: limits(c.Queue.Telemetry),
		queue.Bulk:      limits(c.Queue.Bulk),
	}}
}

// liveFirst returns the lanes that send new messages first after an outage.
func liveFirst(q config.Queue) []queue.Name {
	var names []queue.Name
	for name, lane := range map[queue.Name]config.Lane{queue.Alarm: q.Alarm, queue.Telemetry: q.Telemetry, queue.Bulk: q.Bulk} {
		if lane.LiveFirst {
			names = append(names, name)
		}
	}
	return names
}

func limits(l config.Lane) queue.Limits {
	out := queue.Limits{MaxBytes: l.Bytes, Reserve: l.Reserve, Keep: l.Keep, CommitDelay: l.CommitDelay, WhenFull: queue.Reject}
	if l.DropOldest {
		out.WhenFull = queue.DropOldest
	}
	return out
}
