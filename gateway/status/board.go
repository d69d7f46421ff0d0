package status

import (
	"slices"
	"sync"
	"time"
)

// Event is something that happened, as the log has it.
type Event struct {
	Seq     uint64    `json:"seq"` // counts from 1
	At      time.Time `json:"at"`
	Level   string    `json:"level"` // INFO, WARN, ERROR
	Message string    `json:"message"`
	Attrs   []Attr    `json:"attrs,omitempty"`
}

// Attr says what an event is about.
type Attr struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Depth is how much waited in the queue of a bridge at a time.
type Depth struct {
	At       time.Time `json:"at"`
	Messages uint64    `json:"messages"`
	Bytes    int64     `json:"bytes"`
}

// What a board keeps.
const (
	maxEvents    = 200
	maxDepths    = 1440
	depthEvery   = time.Minute
	maxFollowers = 64
)

// Board holds the latest snapshot, the latest events and how queues filled and
// emptied, for everybody who looks. Its methods may be called from any goroutine.
type Board struct {
	mu        sync.Mutex
	snapshot  Snapshot
	events    []Event // oldest first
	seq       uint64
	depths    map[string][]Depth // by bridge, oldest first, of the last day
	followers map[chan struct{}]bool
}

// NewBoard returns a board without anything on it.
func NewBoard() *Board {
	return &Board{depths: map[string][]Depth{}, followers: map[chan struct{}]bool{}}
}

// Set puts up a snapshot. What it points to must not change any more.
func (b *Board) Set(s Snapshot) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.snapshot = s
	known := map[string][]Depth{}
	for _, br := range s.Bridges {
		known[br.ID] = deepen(b.depths[br.ID], br, s.At)
	}
	b.depths = known
	b.notify()
}

func deepen(past []Depth, b Bridge, at time.Time) []Depth {
	if n := len(past); n > 0 && at.Sub(past[n-1].At) < depthEvery {
		return past
	}
	d := Depth{At: at, Messages: b.Messages()}
	for _, l := range b.Lanes {
		d.Bytes += l.Bytes
	}
	if len(past) == maxDepths {
		past = past[1:]
	}
	return append(past, d)
}

// Note adds an event.
func (b *Board) Note(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	e.Seq = b.seq
	if len(b.events) == maxEvents {
		b.events = slices.Delete(b.events, 0, 1)
	}
	b.events = append(b.events, e)
	b.notify()
}

// Snapshot returns the latest.
func (b *Board) Snapshot() Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.snapshot
}

// Events returns those behind the one numbered after, oldest first: 200 at most.
func (b *Board) Events(after uint64) []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := slices.BinarySearchFunc(b.events, after+1, func(e Event, seq uint64) int { return int(int64(e.Seq) - int64(seq)) })
	return slices.Clone(b.events[i:])
}

// Depths returns how much waited in the queue of a bridge, a value a minute for a
// day, oldest first.
func (b *Board) Depths(bridge string) []Depth {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.depths[bridge])
}

// Follow returns a channel that yields whenever something has changed since it did
// so last, until stop is called. Nil when too many follow already.
func (b *Board) Follow() (changed <-chan struct{}, stop func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.followers) >= maxFollowers {
		return nil, func() {}
	}
	c := make(chan struct{}, 1)
	b.followers[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.followers, c)
	}
}

func (b *Board) notify() {
	for c := range b.followers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
