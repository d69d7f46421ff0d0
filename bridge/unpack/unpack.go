// Package unpack is the far end of envelopes: it takes them from one broker and
// hands the messages in them to another, or the same, each exactly once and in
// their order, through kills, lost connections and whatever is sent again. The
// command sluice unpack wires it to connections; the package knows no MQTT packets.
//
// What makes it exact is the order of steps, each durable before the next: see
// handle. FORMAT.md in bridge/envelope says how messages are named.
package unpack

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bridge/envelope"
	"sluice/bridge/upstream"
	"sluice/gateway/backoff"
)

// idle is how long nothing happens until both brokers are asked for a sign of life.
const idle = 20 * time.Second

// Source is the broker that envelopes come from. What is not acknowledged comes
// again, in its order.
type Source interface {
	Next(wait time.Duration) (upstream.Delivery, bool, error)
	Ack(upstream.Delivery) error
	Ping() error
	Close()
}

// Sink is the broker that messages go to.
type Sink interface {
	Publish(qos byte, batch []upstream.Numbered) error
	Release(ids []uint16) error
	Ping() error
	Close()
}

// Config of an unpacker.
type Config struct {
	Dir string // its state; it must be there
	QoS byte   // 2, or 1 for a sink without: then a kill may repeat up to 16 messages

	// Source and Sink connect; the connection ends with ctx. Sink says whether the
	// broker has kept the session, unless clean ends that first. Peer names the sink
	// and this client of it: under another name nothing is taken for known there.
	Source func(ctx context.Context) (Source, error)
	Sink   func(ctx context.Context, clean bool) (s Sink, kept bool, err error)
	Peer   string
}

// Stats is what was done since the start.
type Stats struct {
	Envelopes uint64 // acknowledged
	Messages  uint64 // handed on
	Again     uint64 // that had been before, and were left out
	Aside     uint64 // envelopes and messages set aside because nobody takes them
}

// Unpacker unpacks envelopes.
type Unpacker struct {
	cfg     Config
	log     *slog.Logger
	lock    *os.File
	journal string // file
	ledgers map[envelope.Source]*ledger
	suspect suspect
	pinged  time.Time // the source
	told    string    // error that was logged last

	mu    sync.Mutex
	stats Stats
}

// New returns an unpacker with the state that is in cfg.Dir. It fails when another
// process uses that. Close gives it back.
func New(cfg Config, log *slog.Logger) (*Unpacker, error) {
	for _, dir := range []string{ledgerDir, asideDir} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, dir), 0o750); err != nil {
			return nil, err
		}
	}
	lock, err := os.Open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s is in use elsewhere: %w", cfg.Dir, err)
	}
	return &Unpacker{
		cfg: cfg, log: log, lock: lock, ledgers: map[envelope.Source]*ledger{},
		journal: filepath.Join(cfg.Dir, "journal.json"),
	}, nil
}

// Close gives the state back, once Run has returned.
func (u *Unpacker) Close() error { return u.lock.Close() }

// String returns the unpacker's name in logs.
func (u *Unpacker) String() string { return "unpack" }

// Stats returns a snapshot; it may be called at any time.
func (u *Unpacker) Stats() Stats {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stats
}

func (u *Unpacker) count(f func(*Stats)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.stats)
}

// Run unpacks until ctx is cancelled, and then returns nil. Where something fails,
// both connections are given up, and begun again ever later.
func (u *Unpacker) Run(ctx context.Context) error {
	policy := backoff.Policy{Min: 500 * time.Millisecond, Max: time.Minute}
	for attempt := 0; ; attempt++ {
		before := u.Stats()
		err := u.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if u.Stats() != before {
			attempt, u.told = 0, ""
		}
		if err.Error() != u.told {
			u.log.Warn("connection ended", "err", err)
			u.told = err.Error()
		}
		if policy.Wait(ctx, attempt) != nil {
			return nil
		}
	}
}

// connection works for as long as both brokers are there.
func (u *Unpacker) connection(ctx context.Context) error {
	sink, kept, err := u.sink(ctx)
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	defer sink.Close()
	if err := u.resume(ctx, sink, kept); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	source, err := u.cfg.Source(ctx)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	defer source.Close()
	if u.told == "" {
		u.log.Info("connected")
	}
	u.pinged = time.Now()
	for {
		d, ok, err := source.Next(idle)
		if err != nil {
			return fmt.Errorf("from: %w", err)
		}
		if !ok {
			if err := u.ping(source, sink); err != nil {
				return err
			}
			continue
		}
		if err := u.take(ctx, d.Payload, source, sink); err != nil {
			return err
		}
		if err := source.Ack(d); err != nil {
			return fmt.Errorf("from: %w", err)
		}
		u.count(func(s *Stats) { s.Envelopes++ })
	}
}

func (u *Unpacker) ping(source Source, sink Sink) error {
	if err := source.Ping(); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	u.pinged = time.Now()
	if err := sink.Ping(); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	return nil
}
