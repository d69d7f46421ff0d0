// Package journal keeps the persistent sessions of the broker through restarts and
// power cuts, on a log of gateway/durable: who they belong to, what they are
// subscribed to, which messages of QoS 1 and 2 are theirs and how far they have
// come with each. FORMAT.md is its contract.
//
// A message is written once for all its sessions, and its content is not kept in
// memory after that. One goroutine, that of Run, writes; whoever must know that
// something is on flash gets a function to wait with. The package knows neither
// connections nor packets, and matches no filters.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// Message is an application message. It must not change.
type Message struct {
	Topic      string
	Payload    []byte
	Properties []byte    // encoded MQTT 5 properties that every receiver gets, without their length
	Expires    time.Time // not sent after that [MQTT-3.3.2-5]; zero: never
}

// Size is how many bytes of content there are.
func (m *Message) Size() int { return len(m.Topic) + len(m.Payload) + len(m.Properties) }

// Config of a journal; zero values take the defaults.
type Config struct {
	MaxBytes    int64         // of the log (256 MiB); six times what sessions may hold together
	CommitDelay time.Duration // longest wait of a change for others to be written with it (10 ms)

	// SegmentBytes is the size of a file of the log (1088 KiB), four times that of the
	// largest record.
	SegmentBytes int64
}

const (
	segmentBytes = 1<<20 + 64<<10   // four times the largest record
	batchDelay   = time.Millisecond // of the log, which gets whole batches
	lazyEvery    = time.Second      // longest stay in memory only of what nobody waits for
	retryEvery   = 5 * time.Second  // after the disk has failed
	soonBytes    = 256 << 10        // that wait are written without delay
	maxPending   = 32 << 20         // bytes of messages that are not written yet
	maxCopies    = 12 << 10         // bytes of copies in one record, a sixteenth of a segment at most
	maxHead      = 96               // bytes of a message's record beside message and copies
	maxFilters   = 256 << 10        // bytes of subscriptions of one session
)

// Errors that callers branch on.
var (
	ErrClosed = errors.New("the journal of sessions is closed")
	ErrBusy   = errors.New("too much waits for the journal of sessions")
	ErrLarge  = errors.New("the subscriptions of the session are too large")
	ErrRecord = errors.New("the message is too large for the journal of sessions")
)

// Journal keeps sessions. Its methods may be called from any goroutine.
type Journal struct {
	log   *durable.Log
	delay time.Duration
	limit int64 // of what all sessions hold
	slack int64 // of the log beyond twice what counts
	large int   // bytes of a record at most
	wake  chan struct{}
	soon  chan struct{} // enough waits to be written at once

	mu          sync.Mutex
	sessions    map[uint64]*Session
	items       map[uint64]*Item // those with a record
	lastSession uint64
	lastItem    uint64
	live        int64 // bytes of the records that count

	ops      []op              // to be written, in order
	dirty    map[*Session]bool // whose state or progress is
	stuck    map[*Session]bool // who could not read
	pending  int64             // bytes of messages in ops
	batch    uint64            // number of the one that collects now
	written  uint64            // the last one that was
	commit   *durable.Promise  // to those who wait for the batch that collects
	failed   error             // why the last was not written; nil when it was
	closed   bool
	restored []*Session
}

// place is where a record that counts is.
type place struct {
	seq  durable.Seq
	size int64
}

// Open opens the journal in a directory, which one process can have open at a
// time.
func Open(dir string, cfg Config, log *slog.Logger) (*Journal, error) {
	opened, err := durable.Open(dir, cfg.options(log))
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return load(opened, cfg)
}

// OpenFS is Open for a directory of any kind.
func OpenFS(dir durable.FS, cfg Config, log *slog.Logger) (*Journal, error) {
	opened, err := durable.OpenFS(dir, cfg.options(log))
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return load(opened, cfg)
}

func (c Config) options(log *slog.Logger) durable.Options {
	return durable.Options{
		SegmentBytes: cmp.Or(c.SegmentBytes, segmentBytes), MaxBytes: cmp.Or(c.MaxBytes, 256<<20), CommitDelay: batchDelay, Log: log,
	}
}

func load(log *durable.Log, cfg Config) (*Journal, error) {
	opt := cfg.options(nil)
	j := &Journal{
		log: log, delay: cmp.Or(cfg.CommitDelay, 10*time.Millisecond), limit: opt.MaxBytes / 6, slack: 4 * opt.SegmentBytes, large: int(opt.SegmentBytes / 4),
		wake: make(chan struct{}, 1), soon: make(chan struct{}, 1),
		sessions: map[uint64]*Session{}, items: map[uint64]*Item{}, dirty: map[*Session]bool{}, stuck: map[*Session]bool{},
		batch: 1, commit: durable.NewPromise(),
	}
	if err := j.replay(); err != nil {
		return nil, errors.Join(fmt.Errorf("sessions: %w", err), log.Close())
	}
	return j, nil
}

// Sessions returns those that were there when the journal was opened, in the order
// in which they began. They are given away: a second call returns none.
func (j *Journal) Sessions() []*Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.restored
	j.restored = nil
	slices.SortFunc(all, func(a, b *Session) int { return cmp.Compare(a.number, b.number) })
	return all
}

// Limit is how many bytes all sessions may hold together.
func (j *Journal) Limit() int64 { return j.limit }

// Err returns why nothing can be promised now; nil when it can.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case j.pending > maxPending:
		return ErrBusy
	case j.failed != nil:
		return j.failed
	}
	return nil
}

// Stats is what the journal has done since it was opened, and holds now.
type Stats struct {
	Sessions int
	Messages int    // with a record
	Live     int64  // bytes of records that count
	Commits  uint64 // synced
	Bytes    uint64 // given to the disk
	Damage   uint64 // records lost since the log was created
	Failed   error  // why the last commit failed; nil when it did not
}

// Stats returns a snapshot.
func (j *Journal) Stats() Stats {
	log := j.log.Stats()
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{
		Sessions: len(j.sessions), Messages: len(j.items), Live: j.live,
		Commits: log.Commits, Bytes: log.Bytes, Damage: log.Damage, Failed: j.failed,
	}
}
