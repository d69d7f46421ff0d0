// Package retain keeps retained messages through restarts and power cuts, on a
// log of gateway/durable. It is for messages that nobody will publish again.
//
// Of a topic only the last message counts, so what changes often is written once
// for many changes: a change that somebody waits for with the next commit, any
// other within Config.Every, which is what a power cut can lose of it. The log is
// kept short by writing again what still counts of its oldest part.
//
// One goroutine, that of Run, writes. The package knows nothing of subscribers.
package retain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// Message is the retained message of a topic. Without a payload it means that the
// topic has none any more. What it points to must not change.
type Message struct {
	Topic      string
	Payload    []byte
	Properties []byte // of MQTT 5, encoded by whoever uses the store
	QoS        byte
	Expires    time.Time // to the millisecond; zero: never
}

// Fits reports whether a store takes a message. One that it does not would keep it
// from writing any other.
func Fits(m Message) bool {
	return len(m.Topic)+len(m.Properties)+len(m.Payload)+maxHead <= segmentBytes/4
}

// Config of a store; zero values take the defaults.
type Config struct {
	Every    time.Duration // longest stay in memory only of a change nobody waits for (60 s)
	MaxBytes int64         // of the log; twice of what is kept has to fit (192 MiB)

	segmentBytes int64
}

const (
	segmentBytes = 1<<20 + 64<<10   // four times the largest message
	maxHead      = 32               // bytes of a record beside that
	commitDelay  = time.Millisecond // what comes while the disk is busy is one commit anyway
	retryEvery   = 5 * time.Second  // after the disk has failed
)

// Store keeps messages. Its methods may be called from any goroutine.
type Store struct {
	log   *durable.Log
	every time.Duration
	slack int64 // of the log beyond twice what counts
	wake  chan struct{}

	// The writer's alone.
	live int64 // bytes of the records that count

	mu      sync.Mutex
	entries map[string]*entry
	urgent  map[*entry]bool  // changed, and somebody waits
	changed map[*entry]bool  // changed, and nobody waits
	commit  *durable.Promise // to those who wait for what is urgent
	closed  bool
}

// entry is what the store knows of a topic. The message may be newer than what
// the log has.
type entry struct {
	message Message

	// The writer's alone.
	seq  durable.Seq // of the record that counts; 0: none
	size int64       // of that
}

// ErrClosed is returned for what was not written before the store was closed.
var ErrClosed = errors.New("the store of retained messages is closed")

// Open opens the store in a directory, which one process can have open at a time.
func Open(dir string, cfg Config, log *slog.Logger) (*Store, error) {
	opened, err := durable.Open(dir, cfg.options(log))
	if err != nil {
		return nil, fmt.Errorf("retained messages: %w", err)
	}
	return load(opened, cfg)
}

// OpenFS is Open for a directory of any kind.
func OpenFS(dir durable.FS, cfg Config, log *slog.Logger) (*Store, error) {
	opened, err := durable.OpenFS(dir, cfg.options(log))
	if err != nil {
		return nil, fmt.Errorf("retained messages: %w", err)
	}
	return load(opened, cfg)
}

func (c Config) options(log *slog.Logger) durable.Options {
	opt := durable.Options{SegmentBytes: segmentBytes, MaxBytes: 192 << 20, CommitDelay: commitDelay, Log: log}
	if c.segmentBytes > 0 {
		opt.SegmentBytes = c.segmentBytes
	}
	if c.MaxBytes > 0 {
		opt.MaxBytes = c.MaxBytes
	}
	return opt
}

// load reads the log. What is damaged was lost, and is counted by the log.
func load(log *durable.Log, cfg Config) (*Store, error) {
	s := &Store{
		log: log, every: cfg.Every, slack: 4 * cfg.options(nil).SegmentBytes, wake: make(chan struct{}, 1),
		entries: map[string]*entry{}, urgent: map[*entry]bool{}, changed: map[*entry]bool{}, commit: durable.NewPromise(),
	}
	if s.every == 0 {
		s.every = time.Minute
	}
	r := log.NewReader(log.Acked())
	for {
		rec, ok, err := r.Next()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("retained messages: %w", err), log.Close())
		}
		if !ok {
			return s, nil
		}
		if m, err := parseRecord(rec.Data); err == nil {
			s.count(&entry{message: m, seq: rec.Seq, size: int64(len(rec.Data))})
		}
	}
}

// count takes a record that was read for the one of its topic.
func (s *Store) count(e *entry) {
	name := e.message.Topic
	if old := s.entries[name]; old != nil {
		s.live -= old.size
	}
	delete(s.entries, name)
	if len(e.message.Payload) > 0 {
		s.entries[name] = e
		s.live += e.size
	}
}

// Messages returns what is kept, in the order in which it was written last.
func (s *Store) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var kept []*entry
	for _, e := range s.entries {
		if len(e.message.Payload) > 0 {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b *entry) int { return int(a.seq) - int(b.seq) })
	messages := make([]Message, len(kept))
	for i, e := range kept {
		messages[i] = e.message
	}
	return messages
}

// Keep takes a message in place of what its topic has. The function returned
// blocks until that, or something newer of the topic, is on the medium; it may be
// called more than once, or never.
func (s *Store) Keep(m Message) (wait func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.put(m); e != nil {
		delete(s.changed, e)
		s.urgent[e] = true
	}
	s.nudge() // also when nothing is left to write but what is being written
	return s.commit.Wait
}

// Later is Keep for a change that nobody waits for.
func (s *Store) Later(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.put(m); e != nil && !s.urgent[e] {
		s.changed[e] = true
	}
}

// put returns the entry of a topic with the message in it; nil when the topic
// never had one and does not get one.
func (s *Store) put(m Message) *entry {
	e := s.entries[m.Topic]
	if e == nil && len(m.Payload) == 0 {
		return nil
	}
	if e == nil {
		e = &entry{}
		s.entries[m.Topic] = e
	}
	e.message = m
	return e
}

func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
