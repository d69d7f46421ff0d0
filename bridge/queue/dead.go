package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	deadSegment = 2 << 20 // holds the largest message of a lane and what is said of it
	deadBytes   = 16 << 20
	maxWhy      = 200 // bytes
)

// Letter is a message that upstream does not take, with the lane it was in.
type Letter struct {
	Number Seq // among the dead letters
	Lane   Name
	Record
	Why    string    // such as what upstream answered
	Buried time.Time // when it was given up
}

var errLetter = errors.New("not a dead letter of this version")

// Bury moves the message r from the lane to the dead letters, because of why. It
// returns once the letter is on flash; until then, and after an error, the
// message stays where it is. After a crash the letter may be there and the
// message too, until Rebury.
func (l *Lane) Bury(ctx context.Context, r Record, why string) error {
	log, err := l.folder.get()
	if err == nil {
		err = l.dead.write(ctx, Letter{Lane: l.name, Record: r, Why: why, Buried: time.Now()})
	}
	if err == nil {
		err = log.Bury(r.Seq)
	}
	if err != nil {
		return fmt.Errorf("bury message %d: %w", r.Seq, err)
	}
	return nil
}

// Rebury buries again what a crash has brought back: the messages that wait in their
// lanes though there are letters of them. A letter whose number means another
// message by now, in a lane that was begun anew, is of none.
func (q *Queue) Rebury() error {
	var errs []error
	_, err := q.eachLetter(func(l Letter) bool {
		errs = append(errs, q.rebury(l))
		return false
	}, nil)
	return errors.Join(append(errs, err)...)
}

func (q *Queue) rebury(l Letter) error {
	lane, known := q.lanes[l.Lane]
	if !known {
		return nil
	}
	log, err := lane.folder.get()
	if err != nil || l.Seq < log.Acked() {
		return err
	}
	rec, ok, err := log.NewReader(l.Seq).Next()
	if !ok || err != nil || rec.Seq != l.Seq || !bytes.Equal(rec.Data, appendRecord(nil, l.Message, l.At, l.Epoch)) {
		return err
	}
	return log.Bury(l.Seq)
}

// write stores a letter and returns once it is on flash.
func (f *folder) write(ctx context.Context, l Letter) error {
	log, err := f.get()
	if err != nil {
		return err
	}
	seq, err := log.Append(appendLetter(nil, l))
	if err != nil {
		return err
	}
	return log.Wait(ctx, seq)
}

// Resend puts the dead letters that pick says yes to back into their lanes, behind
// what waits there, and returns how many. Each leaves the letters once it is on
// flash in its lane; after a crash in between it is in both.
func (q *Queue) Resend(ctx context.Context, pick func(Letter) bool) (int, error) {
	return q.eachLetter(pick, func(l Letter) error {
		if !slices.Contains(Names(), l.Lane) {
			return fmt.Errorf("dead letter %d is of the lane %q, which is not known", l.Number, l.Lane)
		}
		lane := q.Lane(l.Lane)
		seq, err := lane.Append(l.Message, l.At)
		if err != nil {
			return err
		}
		return lane.Wait(ctx, seq)
	})
}

// DropDead throws away the dead letters that pick says yes to, and returns how
// many.
func (q *Queue) DropDead(pick func(Letter) bool) (int, error) {
	return q.eachLetter(pick, func(Letter) error { return nil })
}

// eachLetter settles the picked letters for which do succeeds.
func (q *Queue) eachLetter(pick func(Letter) bool, do func(Letter) error) (n int, err error) {
	log, err := q.dead.get()
	if err != nil {
		return 0, err
	}
	reader := log.NewReader(log.Acked())
	for {
		rec, ok, err := reader.Next()
		if !ok || err != nil {
			return n, err
		}
		l, err := parseLetter(rec.Data)
		l.Number = rec.Seq
		if err != nil || !pick(l) {
			continue // one of a later version stays
		}
		if err := do(l); err != nil {
			return n, err
		}
		log.Settle(rec.Seq, rec.Seq+1)
		n++
	}
}

// A letter is
//
//	u8 length of the lane's name, name
//	uvarint number in the lane
//	varint  time buried, milliseconds since 1970
//	u8 length of why, why
//	the record
func appendLetter(b []byte, l Letter) []byte {
	b = append(b, byte(len(l.Lane)))
	b = append(b, l.Lane...)
	b = binary.AppendUvarint(b, uint64(l.Seq))
	b = binary.AppendVarint(b, l.Buried.UnixMilli())
	why := l.Why[:min(len(l.Why), maxWhy)]
	b = append(b, byte(len(why)))
	b = append(b, why...)
	return appendRecord(b, l.Message, l.At, l.Epoch)
}

// parseLetter returns a letter that shares nothing with b.
func parseLetter(b []byte) (Letter, error) {
	var l Letter
	lane, b, ok := cutShort(b)
	seq, n := binary.Uvarint(b)
	if !ok || n <= 0 {
		return l, errLetter
	}
	ms, k := binary.Varint(b[n:])
	if k <= 0 {
		return l, errLetter
	}
	why, b, ok := cutShort(b[n+k:])
	r, err := parseRecord(b)
	if !ok || err != nil {
		return l, errLetter
	}
	l.Record = r
	l.Seq = Seq(seq)
	l.Lane, l.Why, l.Buried = Name(lane), string(why), time.UnixMilli(ms)
	return l, nil
}

// cutShort takes a string with its length in one byte off b.
func cutShort(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || int(b[0]) > len(b)-1 {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}
