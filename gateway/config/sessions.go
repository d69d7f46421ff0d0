package config

import (
	"time"

	"sluice/mapping"
)

// Sessions is what the LAN broker does for clients that are away.
type Sessions struct {
	Store       bool          // on flash, else they end with the gateway
	Bytes       int64         // of the log on flash at most
	Expiry      time.Duration // longest life without a connection
	CommitDelay time.Duration // longest wait of a message for others
}

// Limits of sessions.
const (
	minSessions      = 16 << 20
	maxSessionExpiry = 365 * 24 * time.Hour
)

func sessions(n mapping.Node) Sessions {
	m := n.Map("store", "size", "expiry", "commit_delay")
	return Sessions{
		Store:       m.Get("store").Bool(true),
		Bytes:       m.Get("size").Size(minSessions, maxQueue, 256<<20),
		Expiry:      m.Get("expiry").Duration(time.Minute, maxSessionExpiry, 24*time.Hour).Truncate(time.Second),
		CommitDelay: m.Get("commit_delay").Duration(time.Millisecond, time.Minute, 10*time.Millisecond),
	}
}
