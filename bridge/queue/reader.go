package queue

import (
	"errors"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/durable"
)

// Record is one message of a lane, or the place where messages are missing.
type Record struct {
	Seq     Seq
	Message topic.Message
	At      time.Time // when it was received, to the millisecond; the clock may have been wrong
	Epoch   uint64    // names it, together with Seq, for ever; 0: it came in without one

	// Gap is not nil where messages were lost. Then there is no message, Seq is
	// that of the message behind the gap, which comes next, and what is to be
	// called once upstream knows is Told instead of Ack.
	Gap *Gap
}

// Gap is messages of a lane that were lost, and that upstream was not told of:
// Messages of those numbered From up to, but not including, To.
type Gap struct {
	Messages    uint64
	From, To    Seq       // From is 0 when it is not known
	First, Last time.Time // they were received between these; First is zero when it is not known
	gap         durable.Gap
}

// Reader reads the messages of a lane that are on flash, in order. It is for one
// goroutine at a time and needs no closing.
type Reader struct {
	lane   *Lane
	from   Seq             // where it begins; 0: at the cursor
	silent bool            // shows no gaps
	reader *durable.Reader // nil: to be made
	shown  uint64          // mark of the last gap handed out
	last   time.Time       // when the message before the next was received
	ahead  *Record         // read, but a gap came first
}

// NewReader returns a reader that begins at the cursor.
func (l *Lane) NewReader() *Reader { return &Reader{lane: l} }

// NewReaderFrom returns a reader that begins at message from, or the first that
// is left behind it, and shows no gaps.
func (l *Lane) NewReaderFrom(from Seq) *Reader {
	return &Reader{lane: l, from: max(from, 1), silent: true}
}

// NewLiveReader returns a reader that begins at message from, and shows the gaps
// wherever they are.
func (l *Lane) NewLiveReader(from Seq) *Reader { return &Reader{lane: l, from: max(from, 1)} }

// Rewind makes the reader begin where it began again: at the present cursor,
// with the gap before it, or where it was told to.
func (r *Reader) Rewind() { *r = Reader{lane: r.lane, from: r.from, silent: r.silent} }

// Next returns the next message or gap, or false when there is none yet. A gap
// comes with the message behind it. An error is one of flash, or ErrClosed: the
// same message comes next.
func (r *Reader) Next() (Record, bool, error) {
	log, err := r.lane.folder.get()
	if errors.Is(err, ErrClosed) {
		return Record{}, false, err
	} else if err != nil {
		return Record{}, false, nil // WaitFor waits until it is open
	}
	rec, ok, err := r.next(log)
	if !ok || err != nil {
		return Record{}, false, err
	}
	if gap := r.gap(log, rec.At); gap != nil {
		r.ahead = &rec
		return Record{Seq: rec.Seq, At: rec.At, Gap: gap}, true, nil
	}
	r.last = rec.At
	return rec, true, nil
}

// next returns the next message.
func (r *Reader) next(log *durable.Log) (Record, bool, error) {
	if rec := r.ahead; rec != nil {
		r.ahead = nil
		return *rec, true, nil
	}
	if r.reader == nil {
		r.reader = log.NewReader(r.from)
		if r.from == 0 {
			r.reader.Seek(log.Acked())
		}
	}
	for {
		rec, ok, err := r.reader.Next()
		if !ok || err != nil {
			return Record{}, false, err
		}
		found, err := parseRecord(rec.Data)
		if err == nil {
			found.Seq = rec.Seq
			return found, true, nil
		}
		if err := log.Lose(rec.Seq); err != nil { // written by a later version: counted, not fatal
			r.reader.Seek(rec.Seq)
			return Record{}, false, err
		}
	}
}

// gap returns what was lost before a message received at that time, as far as
// neither upstream was told nor this reader has shown it.
func (r *Reader) gap(log *durable.Log, at time.Time) *Gap {
	if r.silent {
		return nil
	}
	g := log.Gap(r.shown)
	if g.Records == 0 {
		return nil
	}
	r.shown = g.Mark
	first := g.Since
	if first.IsZero() {
		first = r.last
	}
	return &Gap{Messages: g.Records, From: g.From, To: g.To, First: first, Last: at, gap: g}
}
