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
	log    *durable.Log
	dead   *durable.Log
	oldest oldest

	mu   sync.Mutex
	told uint64 // lost messages that upstream knows of
}

func newLane(name Name, log, dead *durable.Log) *Lane {
	l := &Lane{name: name, log: log, dead: dead, oldest: oldest{reader: log.NewReader(0)}}
	l.told = l.lost()
	return l
}

// String returns the lane's name.
func (l *Lane) String() string { return string(l.name) }

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

// Acked returns the cursor: every message below is delivered, lost or dead.
func (l *Lane) Acked() Seq { return l.log.Acked() }

// Told takes note that upstream knows of the loss g.
func (l *Lane) Told(g Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = max(l.told, g.mark)
}

// untold returns how many messages were lost, and how many of them upstream
// knows of.
func (l *Lane) untold() (lost, told uint64) {
	lost = l.lost()
	l.mu.Lock()
	defer l.mu.Unlock()
	return lost, l.told
}

func (l *Lane) lost() uint64 {
	s := l.log.Stats()
	return s.Overflow + s.Damage
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
