package durable

import (
	"errors"
	"io/fs"
)

// readCursor returns the newest slot of the cursor file, and whether the file is
// there in full. Damaged slots count as empty.
func (s *store) readCursor() (newest slot, whole bool, err error) {
	newest.account.acked = 1
	f, err := s.fs.Open(cursorName)
	if errors.Is(err, fs.ErrNotExist) {
		return newest, false, nil
	} else if err != nil {
		return newest, false, err
	}
	defer f.Close()
	for _, off := range []int64{0, page} {
		c, err := readSlot(f, off)
		if err != nil && !errors.Is(err, errDamaged) {
			return newest, false, err
		}
		if err == nil && c.generation > newest.generation {
			newest = c
		}
	}
	s.generation = newest.generation
	size, err := f.Size()
	return newest, size >= cursorBytes, err
}

func (s *store) createCursor() error {
	f, err := s.fs.Create(cursorName, cursorBytes)
	if err != nil {
		return err
	}
	return f.Close()
}

func readSlot(f File, off int64) (slot, error) {
	b := make([]byte, stampSize)
	if err := readFull(f, b, off); err != nil {
		return slot{}, err
	}
	return parseSlot(b)
}

// writeCursor writes the slot that is not the newest. After an error the same
// slot is written again.
func (s *store) writeCursor(end Seq, acc account) error {
	next := slot{generation: s.generation + 1, end: end, account: acc}
	err := s.writeSlot(next)
	s.cursorBad = err != nil
	if err != nil {
		return err
	}
	s.generation, s.cursor = next.generation, acc.acked
	return nil
}

func (s *store) writeSlot(c slot) error {
	f, err := s.fs.Open(cursorName)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.write(f, c.encode(), int64(c.generation%2)*page); err != nil {
		return err
	}
	return s.sync(f)
}
