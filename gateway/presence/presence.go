// Package presence words what a gateway says of itself: upstream the birth after
// each connection, the will that the broker there publishes when the connection
// is lost, the farewell before a planned end, and heartbeats in between; and sees
// to it that upstream goes on showing that. Consumers accept a "lost" only for the
// session and connection that was born last, so a will that comes late cannot
// overwrite a newer birth. The package knows no connection.
package presence

import (
	"crypto/rand"
	"time"

	"sluice/broker/topic"
)

// Proto is the version of the state payload.
const Proto = 1

// Config of a gateway's presence.
type Config struct {
	Group, Gateway string
	Version        string // of the program
	Config         string // digest of the site file
}

// Presence is one process life of a gateway.
type Presence struct {
	cfg     Config
	topic   string
	session string
}

// New begins a session: a random id that no other process life shares.
func New(cfg Config) *Presence {
	p := &Presence{cfg: cfg, session: rand.Text()[:16]}
	p.topic = p.below("state")
	return p
}

// Configured returns the presence of the same process life with another site file.
func (p *Presence) Configured(digest string) *Presence {
	next := *p
	next.cfg.Config = digest
	return &next
}

// state is the payload of the state topic.
type state struct {
	State   string `json:"state"` // online, offline, lost
	Session string `json:"session"`
	Conn    uint64 `json:"conn"`            // counts the connections of the session, from 1
	Since   string `json:"since,omitempty"` // of the state, RFC 3339 with milliseconds
	Reason  string `json:"reason,omitempty"`
	Version string `json:"version,omitempty"`
	Config  string `json:"config,omitempty"`
	Proto   int    `json:"proto,omitempty"`
}

// Will is what the broker upstream publishes when connection conn is lost. It
// is fixed at CONNECT and cannot say when.
func (p *Presence) Will(conn uint64) topic.Message {
	return p.message(state{State: "lost", Session: p.session, Conn: conn})
}

// Birth announces connection conn; reason is "start", "reconnect" or "failover".
func (p *Presence) Birth(conn uint64, reason string) topic.Message {
	return p.message(state{State: "online", Session: p.session, Conn: conn, Since: now(), Reason: reason,
		Version: p.cfg.Version, Config: p.cfg.Config, Proto: Proto})
}

// Farewell announces a planned end of connection conn; reason is "shutdown",
// "failover" or "idle".
func (p *Presence) Farewell(conn uint64, reason string) topic.Message {
	return p.message(state{State: "offline", Session: p.session, Conn: conn, Since: now(), Reason: reason, Proto: Proto})
}

func now() string { return stamp(time.Now()) }

func (p *Presence) message(s state) topic.Message {
	return topic.Message{Topic: p.topic, Payload: written(s), QoS: 1, Retain: true}
}
