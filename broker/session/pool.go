package session

import (
	"cmp"
	"sync/atomic"

	"sluice/broker/journal"
)

// Limits bound what sessions keep; zero values take the defaults.
type Limits struct {
	SessionBytes int   // queued and in flight for one session (16 MiB)
	TotalBytes   int64 // for all that are in memory (64 MiB), but for a 256th of SessionBytes that each may hold in any case
	StoredBytes  int64 // for all that are kept (42 MiB); above that none may hold more than its equal share
	Messages     int   // queued for one session, at most 40000, which is the default
	Window       int   // in flight to one client, at most 16384 (1024)
}

func (l Limits) withDefaults() Limits {
	return Limits{
		SessionBytes: cmp.Or(l.SessionBytes, 16<<20),
		TotalBytes:   cmp.Or(l.TotalBytes, 64<<20),
		StoredBytes:  cmp.Or(l.StoredBytes, 42<<20),
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
	Lost           // it could not be read back
	reasons
)

func (r Reason) String() string {
	return [...]string{"none", "full", "memory", "expired", "large", "lost"}[r]
}

// Pool is what the sessions of one broker share.
type Pool struct {
	limits  Limits
	bytes   atomic.Int64
	stored  atomic.Int64
	keepers atomic.Int64 // sessions that are kept
	sent    atomic.Uint64
	dropped [reasons]atomic.Uint64
}

// NewPool returns a pool without sessions.
func NewPool(limits Limits) *Pool { return &Pool{limits: limits.withDefaults()} }

// New returns an empty session of a client that is not connected.
func (p *Pool) New() *Session {
	return &Session{pool: p, flights: map[uint16]*flight{}}
}

// Keep is New for a session that the journal keeps, as it was left there.
func (p *Pool) Keep(kept *journal.Session, r journal.Restored) *Session {
	p.keepers.Add(1)
	s := p.New()
	s.kept, s.ordinal, s.sent = kept, r.Last, r.Sent
	for _, e := range r.Entries {
		s.restore(e)
	}
	kept.Wake(s.written)
	return s
}

// Drop counts a message that a session could not be given.
func (p *Pool) Drop(why Reason) { p.dropped[why].Add(1) }

// Stats are counts since the start, but for Bytes and Stored, which are as of now.
type Stats struct {
	Bytes  int64  // queued and in flight, in memory
	Stored int64  // the same in the journal
	Sent   uint64 // messages, each counted once

	Full, Memory, Expired, Large, Lost uint64 // messages dropped, by reason
}

// Dropped returns how many messages were dropped.
func (s Stats) Dropped() uint64 { return s.Full + s.Memory + s.Expired + s.Large + s.Lost }

// Stats returns a snapshot.
func (p *Pool) Stats() Stats {
	return Stats{
		Bytes:  p.bytes.Load(),
		Stored: p.stored.Load(),
		Sent:   p.sent.Load(),
		Full:   p.dropped[Full].Load(), Memory: p.dropped[Memory].Load(),
		Expired: p.dropped[Expired].Load(), Large: p.dropped[Large].Load(),
		Lost: p.dropped[Lost].Load(),
	}
}
