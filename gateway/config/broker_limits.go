package config

import (
	"time"

	"sluice/broker"
	"sluice/broker/session"
	"sluice/mapping"
)

// brokerLimits reads what clients of the LAN broker can use.
func brokerLimits(n mapping.Node) broker.Limits {
	m := n.Map("clients", "connects", "connect_timeout", "keepalive", "packet", "levels", "aliases", "filters", "unacknowledged",
		"retained", "retained_size", "queued", "queued_size", "all_queued_size", "in_flight", "unread_size", "stall_timeout")
	return broker.Limits{
		Clients:        m.Get("clients").Int(1, 10_000, 64),
		Connects:       float64(m.Get("connects").Int(1, 10_000, 50)),
		ConnectTimeout: m.Get("connect_timeout").Duration(100*time.Millisecond, time.Minute, 5*time.Second),
		Keepalive:      m.Get("keepalive").Duration(0, 18*time.Hour, 0),
		PacketBytes:    int(m.Get("packet").Size(32<<10, 16<<20, 256<<10)),
		Levels:         m.Get("levels").Int(4, 200, 32),
		Aliases:        m.Get("aliases").Int(1, 1000, 16),
		Filters:        m.Get("filters").Int(1, 100_000, 1024),
		Owed:           m.Get("unacknowledged").Int(1, 65_535, 1024),
		Retained:       m.Get("retained").Int(1, 1_000_000, 16_384),
		RetainedBytes:  int(m.Get("retained_size").Size(64<<10, 1<<30, 64<<20)),
		PendingBytes:   int(m.Get("unread_size").Size(256<<10, 256<<20, 8<<20)),
		StallTimeout:   m.Get("stall_timeout").Duration(time.Second, 10*time.Minute, 30*time.Second),
		Session: session.Limits{
			Messages:     m.Get("queued").Int(1, 40_000, 40_000),
			SessionBytes: int(m.Get("queued_size").Size(64<<10, 1<<30, 16<<20)),
			TotalBytes:   m.Get("all_queued_size").Size(64<<10, 1<<30, 64<<20),
			Window:       m.Get("in_flight").Int(1, 16_384, 1024),
		},
	}
}
