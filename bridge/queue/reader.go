package queue

import (
	"time"

	"sluice/broker/topic"
	"sluice/gateway/durable"
)

// Record is one message of a lane, or the place where messages are missing.
type Record struct {
	Seq     Seq
	Message topic.Message
	At      time.Time // when it was received, to the millisecond; the clock may have been wrong

	// Gap is not nil where messages were lost. Then there is no message, Seq is
	// that of the message behind the gap, which comes next, and what is to be
	// called once upstream knows is Told instead of Ack.
	Gap *Gap
}

// Gap is messages of a lane that were lost, and that upstream was not told of.
type Gap struct {
	Messages    uint64
	First, Last time.Time // they were received between these; zero: not known
	mark        uint64    // lost messages up to here, since the lane was created
}

// Reader reads the messages of a lane that are on flash, in order. It is for one
// goroutine at a time and needs no closing.
type Reader struct {
	lane   *Lane
	reader *durable.Reader
	shown  uint64    // mark of the last gap handed out
	last   time.Time // when the message before the next was received
	ahead  *Record   // read, but a gap came first
}

// NewReader returns a reader that begins at the cursor.
func (l *Lane) NewReader() *Reader {
	r := &Reader{lane: l, reader: l.log.NewReader(0)}
	r.Rewind()
	return r
}

// Rewind makes the reader begin at the cursor again, with the gap before it.
func (r *Reader) Rewind() {
	r.reader.Seek(r.lane.Acked())
	r.shown, r.last, r.ahead = 0, time.Time{}, nil
}

// Next returns the next message or gap, or false when there is none yet. A gap
// comes with the message behind it. An error is one of flash, or ErrClosed: the
// same message comes next.
func (r *Reader) Next() (Record, bool, error) {
	rec, ok, err := r.next()
	if !ok || err != nil {
		return Record{}, false, err
	}
	if gap := r.gap(rec.At); gap != nil {
		r.ahead = &rec
		return Record{Seq: rec.Seq, At: rec.At, Gap: gap}, true, nil
	}
	r.last = rec.At
	return rec, true, nil
}

// next returns the next message.
func (r *Reader) next() (Record, bool, error) {
	if rec := r.ahead; rec != nil {
		r.ahead = nil
		return *rec, true, nil
	}
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

// gap returns what was lost before a message received at that time, as far as
// neither upstream was told nor this reader has shown it.
func (r *Reader) gap(at time.Time) *Gap {
	lost, told := r.lane.untold()
	known := max(told, r.shown)
	if lost <= known {
		return nil
	}
	r.shown = lost
	return &Gap{Messages: lost - known, First: r.last, Last: at, mark: lost}
}
