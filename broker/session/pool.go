package session

import (
	"cmp"
	"sync/atomic"
)

// Limits bound what sessions keep; zero values take the defaults.
type Limits struct {
	SessionBytes int   // queued and in flight for one session (16 MiB)
	TotalBytes   int64 // for all of them (64 MiB), but for a 256th of SessionBytes that each may hold in any case
	Messages     int   // queued for one session, at most 40000, which is the default
	Window       int   // in flight to one client, at most 16384 (1024)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		SessionBytes: cmp.Or(l.SessionBytes, 16<<20),
		TotalBytes:   cmp.Or(l.TotalBytes, 64<<20),
		Messages:     min(cmp.Or(l.Messages, maxMessages), maxMessages),
		Window:       min(cmp.Or(l.Window, 1024), maxWindow),
	}
}

// own is what a session may hold however much the others do: a subscriber that
// keeps up loses nothing to those that do not.
func (l Limits) own() int { return l.SessionBytes / 256 }

// Together they leave packet identifiers free.
const (
	maxMessages = 40000
	maxWindow   = 16384
)

// Reason says why a message did not reach a subscriber.
type Reason uint8

const (
	None    Reason = iota
	Full           // the session is at its bound
	Memory         // all sessions together are
	Expired        // its time had passed
	Large          // it is larger than the client takes
	reasons
)

func (r Reason) String() string {
	return [...]string{"none", "full", "memory", "expired", "large"}[r]
}

// Pool is what the sessions of one broker share.
type Pool struct {
	limits  Limits
	bytes   atomic.Int64
	sent    atomic.Uint64
	dropped [reasons]atomic.Uint64
}

// NewPool returns a pool without sessions.
func NewPool(limits Limits) *Pool { return &Pool{limits: limits.withDefaults()} }

// New returns an empty session of a client that is not connected.
func (p *Pool) New() *Session {
	return &Session{pool: p, flights: map[uint16]*flight{}}
}

func (p *Pool) drop(why Reason) { p.dropped[why].Add(1) }

// Stats are counts since the start, but for Bytes, which is as of now.
type Stats struct {
	Bytes                        int64  // queued and in flight
	Sent                         uint64 // messages, each counted once
	Full, Memory, Expired, Large uint64 // messages dropped, by reason
}

// Dropped returns how many messages were dropped.
func (s Stats) Dropped() uint64 { return s.Full + s.Memory + s.Expired + s.Large }

// Stats returns a snapshot.
func (p *Pool) Stats() Stats {
	return Stats{
		Bytes: p.bytes.Load(),
		Sent:  p.sent.Load(),
		Full:  p.dropped[Full].Load(), Memory: p.dropped[Memory].Load(),
		Expired: p.dropped[Expired].Load(), Large: p.dropped[Large].Load(),
	}
}
