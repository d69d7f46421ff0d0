package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/durable"
)

// Seq numbers the messages of a lane: the first is 1, and none is left out.
type Seq = durable.Seq

// Lane is a durable first-in, first-out queue of messages. Its methods may be
// called from any goroutine.
type Lane struct {
	name   Name
	folder *folder
	dead   *folder
	oldest oldest
	rate   rate
	epoch  epoch
}

func newLane(name Name, f, dead *folder, epochs bool) *Lane {
	return &Lane{name: name, folder: f, dead: dead, rate: newRate(), epoch: epoch{used: epochs}}
}

// String returns the lane's name.
func (l *Lane) String() string { return string(l.name) }

// Name returns the lane's name.
func (l *Lane) Name() Name { return l.name }

// Append queues m, received at that time, and returns its number. The message is
// on flash once Wait returned nil. It blocks while flash is slower than the
// publishers. Errors: ErrFull, ErrTooLarge (topic and payload together over
// 256 KiB), ErrClosed, or why flash failed.
func (l *Lane) Append(m topic.Message, at time.Time) (Seq, error) {
	if len(m.Topic) > topic.MaxBytes || m.QoS > 2 {
		return 0, fmt.Errorf("no MQTT message: topic of %d bytes, QoS %d", len(m.Topic), m.QoS)
	}
	log, err := l.folder.get()
	if err != nil {
		return 0, err
	}
	b := make([]byte, 0, len(m.Topic)+len(m.Payload)+maxOverhead)
	return log.Append(appendRecord(b, m, at, l.epoch.of(log)))
}

// Wait blocks until message seq is on flash. Any other end than nil means that
// it is not known to be.
func (l *Lane) Wait(ctx context.Context, seq Seq) error {
	log, err := l.folder.get()
	if err != nil {
		return err
	}
	return log.Wait(ctx, seq)
}

// WaitFor blocks until a reader can get message seq or a later one.
func (l *Lane) WaitFor(ctx context.Context, seq Seq) error {
	log, err := l.folder.wait(ctx)
	if err != nil {
		return err
	}
	return log.WaitFor(ctx, seq)
}

// Ack settles every message below upTo as delivered. Some of them may be read
// again by a later process: after a kill those of the last 10 ms, after a power cut
// those of the last five seconds at most, fewer while messages arrive.
func (l *Lane) Ack(upTo Seq) {
	if log, err := l.folder.get(); err == nil {
		log.Ack(upTo)
	}
}

// Settle settles the messages from from up to, but not including, to as
// delivered, though others before them are not. Of those the largest run is
// remembered as Ack is; after a crash the others may be read again.
func (l *Lane) Settle(from, to Seq) {
	if log, err := l.folder.get(); err == nil {
		log.Settle(from, to)
	}
}

// Acked returns the cursor: every message below is delivered, lost or dead.
func (l *Lane) Acked() Seq {
	log, err := l.folder.get()
	if err != nil {
		return 1
	}
	return log.Acked()
}

// Ahead returns the number behind the last message that is known to be settled
// though others before it are not, or 0.
func (l *Lane) Ahead() Seq {
	log, err := l.folder.get()
	if err != nil {
		return 0
	}
	return log.Ahead()
}

// End returns the number of the first message that is not on flash yet.
func (l *Lane) End() Seq {
	log, err := l.folder.get()
	if err != nil {
		return 1
	}
	return log.Stats().Durable
}

// Drop gives up every message below upTo that is on flash, and returns how many
// were waiting. They count as lost.
func (l *Lane) Drop(upTo Seq) (uint64, error) {
	log, err := l.folder.get()
	if err != nil {
		return 0, err
	}
	return log.Drop(upTo), nil
}

// Told takes note that upstream knows of the loss g. It is remembered as Ack is.
func (l *Lane) Told(g Gap) {
	if log, err := l.folder.get(); err == nil {
		log.Told(g.gap, g.Last)
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
	if o.reader == nil {
		o.reader = log.NewReader(acked)
	}
	o.reader.Seek(acked)
	rec, ok, err := o.reader.Next()
	if !ok || err != nil {
		return time.Time{}
	}
	if r, err := parseRecord(rec.Data); err == nil {
		o.seq, o.time = acked, r.At
		return r.At
	}
	return time.Time{}
}
