package broker

import (
	"cmp"
	"math"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"sluice/broker/auth"
	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/broker/session"
)

const (
	sysInterval   = 10 // seconds between $SYS messages
	writesPending = 64 // of mochi's own messages to a client, which are those of $SYS
)

// Config says where a broker serves and what it allows.
type Config struct {
	Listen []Listener
	// Users are those who log in; nil if there are none.
	Users *auth.Users
	// Protected holds the topic filters that only the gateway publishes to. A
	// client's message that matches is not routed: at QoS 0 it is dropped; at
	// QoS 1 and 2 an MQTT 5 client gets reason 0x87 and an older one, which could
	// not be told, is disconnected. A will that matches is refused at CONNECT.
	Protected []string
	// Retained keeps the retained messages of clients through restarts; nil: they
	// end with the broker. It must be running while the broker does.
	Retained *retain.Store
	// Journal keeps persistent sessions likewise; nil: they end with the broker.
	Journal *journal.Journal
	Limits  Limits
}

// Limits bound what clients can use; zero values take the defaults.
type Limits struct {
	Clients        int // connected at a time (64); twice as many sessions are kept
	PacketBytes    int // of a packet received (256 KiB)
	ConnectBytes   int // of a CONNECT packet (32 KiB)
	Levels         int // of a topic name or filter (32)
	Filters        int // subscribed to by one client (1024)
	Retained       int // messages in the store before clients may add no more (16384)
	Owed           int // acknowledgements owed to one client before it is read no further (1024)
	RetainedBytes  int // of them, likewise (64 MiB)
	Session        session.Limits
	SessionExpiry  time.Duration // longest life of a session without connection, in whole seconds (24 h)
	PendingBytes   int           // written to a client and not yet taken by it (8 MiB)
	ConnectTimeout time.Duration // for TLS and WebSocket, and again to the CONNECT packet (5 s)
	StallTimeout   time.Duration // until a client that takes nothing is disconnected (30 s)
	Connects       float64       // connections a second from one address (50), four times as many at once
	Aliases        int           // of topics, for one connection (16)
	Keepalive      time.Duration // the longest silence that an MQTT 5 client may ask for, in seconds; 0: any
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Clients:        cmp.Or(l.Clients, 64),
		PacketBytes:    cmp.Or(l.PacketBytes, 256<<10),
		ConnectBytes:   cmp.Or(l.ConnectBytes, 32<<10),
		Levels:         cmp.Or(l.Levels, 32),
		Filters:        cmp.Or(l.Filters, 1024),
		Retained:       cmp.Or(l.Retained, 16384),
		Owed:           cmp.Or(l.Owed, 1024),
		RetainedBytes:  cmp.Or(l.RetainedBytes, 64<<20),
		Session:        l.Session,
		SessionExpiry:  cmp.Or(l.SessionExpiry, 24*time.Hour),
		PendingBytes:   cmp.Or(l.PendingBytes, 8<<20),
		ConnectTimeout: cmp.Or(l.ConnectTimeout, 5*time.Second),
		StallTimeout:   cmp.Or(l.StallTimeout, 30*time.Second),
		Connects:       cmp.Or(l.Connects, 50),
		Aliases:        cmp.Or(l.Aliases, 16),
		Keepalive:      l.Keepalive,
	}
}

func (l Limits) capabilities() *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumClients = math.MaxInt64 // admit counts
	c.MaximumPacketSize = uint32(l.PacketBytes)
	c.MaximumClientWritesPending = writesPending
	c.MaximumSessionExpiryInterval = uint32(l.SessionExpiry / time.Second)
	c.MaximumMessageExpiryInterval = 0 // else retained values vanish after a day
	c.ReceiveMaximum = uint16(min(l.Owed, math.MaxUint16))
	c.TopicAliasMaximum = 0
	return c
}
