package sim

import (
	"sync/atomic"
	"time"
)

// Stats is what has happened on the wire since New.
type Stats struct {
	Requests      uint64        // frames of the host that ended
	Damaged       uint64        // of them: wrong checksum, collided, cut off, or too early for Strict units
	ShortSilences uint64        // requests that began before t3.5 of silence
	Missed        uint64        // requests that a busy unit did not hear
	Replies       uint64        // put on the wire, or about to be
	Faulty        uint64        // replies withheld, delayed or spoilt on purpose
	Collisions    uint64        // times that two drove the line at once
	RequestTime   time.Duration // the line was driven by the host
	ReplyTime     time.Duration // and by units
}

// Busy is how long the line was driven.
func (s Stats) Busy() time.Duration { return s.RequestTime + s.ReplyTime }

// counters are Stats as they grow.
type counters struct {
	requests, damaged, shortSilences, missed atomic.Uint64
	replies, faulty, collisions              atomic.Uint64
	requestTime, replyTime                   atomic.Int64
}

// Stats returns what has happened so far.
func (b *Bus) Stats() Stats {
	c := &b.counters
	return Stats{
		Requests:      c.requests.Load(),
		Damaged:       c.damaged.Load(),
		ShortSilences: c.shortSilences.Load(),
		Missed:        c.missed.Load(),
		Replies:       c.replies.Load(),
		Faulty:        c.faulty.Load(),
		Collisions:    c.collisions.Load(),
		RequestTime:   time.Duration(c.requestTime.Load()),
		ReplyTime:     time.Duration(c.replyTime.Load()),
	}
}
