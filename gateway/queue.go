package gateway

import (
	"path/filepath"

	"sluice/bridge/queue"
	"sluice/gateway/config"
)

// queueConfig describes the queue of a bridge.
func queueConfig(c config.Bridge, stateDir string) queue.Config {
	cfg := queue.Config{Dir: filepath.Join(stateDir, "queue", c.ID), Lanes: map[queue.Name]queue.Limits{}}
	for _, name := range queue.Names() {
		limits := queue.Limits{MaxBytes: c.Queue.Bytes, CommitDelay: c.Queue.CommitDelay, WhenFull: queue.Reject}
		if c.Queue.DropOldest {
			limits.WhenFull = queue.DropOldest
		}
		cfg.Lanes[name] = limits
	}
	return cfg
}
