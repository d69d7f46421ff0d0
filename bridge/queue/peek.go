package queue

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"sluice/gateway/durable"
)

// Peeked is a lane as its files show it, to be looked at without opening the
// queue; the gateway may have it open meanwhile.
type Peeked struct {
	Name string // of the lane, or "dead"
	*durable.Files
}

// Peek returns the lanes in the folder of a queue, and the dead letters last.
// They must be closed.
func Peek(dir string) ([]Peeked, error) {
	var lanes []Peeked
	for _, name := range append(Names(), deadName) {
		f, err := durable.OpenFiles(filepath.Join(dir, string(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			for _, l := range lanes {
				l.Close()
			}
			return nil, err
		}
		lanes = append(lanes, Peeked{string(name), f})
	}
	if len(lanes) == 0 {
		return nil, &os.PathError{Op: "look for a queue in", Path: dir, Err: fs.ErrNotExist}
	}
	return lanes, nil
}

// Messages yields the messages that wait. What is not one of this version is left
// out.
func (p Peeked) Messages() iter.Seq2[Record, error] {
	return decoded(p.Files, func(r durable.Record) (Record, error) {
		m, err := parseRecord(r.Data)
		m.Seq = r.Seq
		return m, err
	})
}

// Letters yields the dead letters, if these are they.
func (p Peeked) Letters() iter.Seq2[Letter, error] {
	return decoded(p.Files, func(r durable.Record) (Letter, error) {
		l, err := parseLetter(r.Data)
		l.Number = r.Seq
		return l, err
	})
}

func decoded[T any](f *durable.Files, decode func(durable.Record) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for r, err := range f.Backlog() {
			if err != nil {
				yield(none, err)
				return
			}
			if v, err := decode(r); err == nil && !yield(v, nil) {
				return
			}
		}
	}
}
