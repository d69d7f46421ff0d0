// Package queue is the way of a message through an outage: one lane is the
// messages of one bridge, in order, on flash, with an account of what became of
// them. The bridge appends and reads; the package knows neither rules nor
// connections, and leaves the disk to gateway/durable.
package queue

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/durable"
)

// Seq numbers the messages of a lane: the first is 1, and none is left out.
type Seq = durable.Seq

// WhenFull says what a lane does with a message that it has no room for.
type WhenFull = durable.WhenFull

// The policies at the limit.
const (
	Reject     = durable.Reject     // Append returns ErrFull
	DropOldest = durable.DropOldest // the oldest messages go, about 1 MiB at a time, and are counted
)

// Errors that callers branch on.
var (
	ErrFull     = durable.ErrFull
	ErrTooLarge = durable.ErrTooLarge
	ErrClosed   = durable.ErrClosed
)

// Config of a lane; a zero MaxBytes or CommitDelay means its default.
type Config struct {
	Dir         string        // made when it is missing; one lane each
	MaxBytes    int64         // bound on flash, at least 4 MiB (256 MiB)
	CommitDelay time.Duration // longest wait of a message for its commit: latency against wear (200 ms)
	WhenFull    WhenFull
}

// Lane is a durable first-in, first-out queue of messages. Its methods may be
// called from any goroutine.
type Lane struct {
	log    *durable.Log
	oldest oldest
}

// Open opens the lane in cfg.Dir. No other process may have it open. It fails
// when what is there cannot be read: a lane is never taken for empty.
func Open(cfg Config, log *slog.Logger) (*Lane, error) {
	l, err := durable.Open(cfg.Dir, durable.Options{
		MaxBytes:    cfg.MaxBytes,
		CommitDelay: cfg.CommitDelay,
		WhenFull:    cfg.WhenFull,
		Log:         log,
	})
	if err != nil {
		return nil, err
	}
	return &Lane{log: l, oldest: oldest{reader: l.NewReader(0)}}, nil
}

// Append queues m, received at that time, and returns its number. The message is
// on flash once Wait returned nil. It blocks while flash is slower than the
// publishers. Errors: ErrFull, ErrTooLarge (topic and payload together over
// 256 KiB), ErrClosed, or why flash failed.
func (l *Lane) Append(m topic.Message, at time.Time) (Seq, error) {
	if len(m.Topic) > topic.MaxBytes || m.QoS > 2 {
		return 0, fmt.Errorf("no MQTT message: topic of %d bytes, QoS %d", len(m.Topic), m.QoS)
	}
	b := make([]byte, 0, len(m.Topic)+len(m.Payload)+maxOverhead)
	return l.log.Append(appendRecord(b, m, at))
}

// Wait blocks until message seq is on flash. Any other end than nil means that
// it is not known to be.
func (l *Lane) Wait(ctx context.Context, seq Seq) error { return l.log.Wait(ctx, seq) }

// WaitFor blocks until a reader can get message seq or a later one.
func (l *Lane) WaitFor(ctx context.Context, seq Seq) error { return l.log.WaitFor(ctx, seq) }

// Ack settles every message below upTo as delivered. After a crash some of them
// may be read again: those of the last five seconds at most, fewer while messages
// arrive.
func (l *Lane) Ack(upTo Seq) { l.log.Ack(upTo) }

// Acked returns the cursor: every message below is delivered or lost.
func (l *Lane) Acked() Seq { return l.log.Acked() }

// Close commits what is pending and ends the lane.
func (l *Lane) Close() error { return l.log.Close() }

// Record is one message of a lane.
type Record struct {
	Seq     Seq
	Message topic.Message
	At      time.Time // when it was received, to the millisecond; the clock may have been wrong
}

// Reader reads the messages of a lane that are on flash, in order. It is for one
// goroutine at a time and needs no closing.
type Reader struct {
	lane   *Lane
	reader *durable.Reader
}

// NewReader returns a reader that begins at the cursor.
func (l *Lane) NewReader() *Reader {
	return &Reader{lane: l, reader: l.log.NewReader(l.Acked())}
}

// Rewind makes the reader begin at the cursor again.
func (r *Reader) Rewind() { r.reader.Seek(r.lane.Acked()) }

// Next returns the next message, or false when there is none yet. Lost messages
// leave a gap in the numbers. An error is one of flash, or ErrClosed: the same
// message comes next.
func (r *Reader) Next() (Record, bool, error) {
	for {
		rec, ok, err := r.reader.Next()
		if !ok || err != nil {
			return Record{}, false, err
		}
		m, at, err := parseRecord(rec.Data)
		if err == nil {
			return Record{Seq: rec.Seq, Message: m, At: at}, true, nil
		}
		if err := r.lane.log.Lose(rec.Seq); err != nil { // written by a later version: counted, not fatal
			r.reader.Seek(rec.Seq)
			return Record{}, false, err
		}
	}
}

// Stats is a snapshot of the account of a lane. Messages are counted since the
// lane was created: Appended = Delivered + Lost + Backlog at any time.
type Stats struct {
	Appended  uint64
	Delivered uint64
	Lost      uint64 // Overflow + Damage
	Overflow  uint64 // dropped at the limit
	Damage    uint64 // could not be read any more
	Backlog   uint64

	BacklogBytes int64     // exact to about 1 MiB
	OldestAt     time.Time // of the first message of the backlog; zero when there is none
	LastLoss     durable.Loss
	Failed       error // why nothing can be written at present

	// Since the lane was opened:
	Refused    uint64 // messages that Append did not take
	FlashBytes uint64 // given to flash
	Syncs      uint64
}

// Stats returns the account. It may read one record.
func (l *Lane) Stats() Stats {
	s := l.log.Stats()
	return Stats{
		Appended:     s.Appended,
		Delivered:    s.Delivered,
		Lost:         s.Overflow + s.Damage,
		Overflow:     s.Overflow,
		Damage:       s.Damage,
		Backlog:      s.Backlog,
		BacklogBytes: s.BacklogBytes,
		OldestAt:     l.oldest.at(l.log),
		LastLoss:     s.LastLoss,
		Failed:       s.Failed,
		Refused:      s.Refused,
		FlashBytes:   s.Bytes,
		Syncs:        s.Syncs,
	}
}

// oldest remembers the time of the record at the cursor, which during an outage
// is always the same.
type oldest struct {
	mu     sync.Mutex
	reader *durable.Reader
	seq    Seq
	time   time.Time
}

// at returns when the first message of the backlog was received; zero when there
// is none on flash or it cannot be read.
func (o *oldest) at(log *durable.Log) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	acked := log.Acked()
	if o.seq == acked {
		return o.time
	}
	o.reader.Seek(acked)
	rec, ok, err := o.reader.Next()
	if !ok || err != nil {
		return time.Time{}
	}
	if _, at, err := parseRecord(rec.Data); err == nil {
		o.seq, o.time = acked, at
		return at
	}
	return time.Time{}
}
