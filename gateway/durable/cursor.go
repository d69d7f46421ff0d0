package durable

import (
	"errors"
	"io/fs"
	"time"
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
	s.newest, s.generation = newest, newest.generation
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
	next := s.nextSlot(end, acc)
	err := s.writeSlot(next)
	s.cursorBad = err != nil
	if err != nil {
		return err
	}
	s.generation, s.cursor = next.generation, acc.acked
	return nil
}

// rewriteCursor writes the slot that was read once more, the same bytes.
func (s *store) rewriteCursor() error {
	if s.newest.generation == 0 {
		return nil
	}
	return s.writeSlot(s.newest)
}

// noteCursor writes the same slot as writeCursor would, but does not sync it: the
// newest slot on the medium stays what it is.
func (s *store) noteCursor(end Seq, acc account) {
	f, err := s.fs.Open(cursorName)
	if err != nil {
		return
	}
	defer f.Close()
	c := s.nextSlot(end, acc)
	f.WriteAt(c.encode(), c.offset()) // what fails here fails in writeCursor too
}

func (s *store) nextSlot(end Seq, acc account) slot {
	return slot{generation: s.generation + 1, end: end, time: millisOf(time.Now()), account: acc}
}

func (s *store) writeSlot(c slot) error {
	f, err := s.fs.Open(cursorName)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.write(f, c.encode(), c.offset()); err != nil {
		return err
	}
	return s.sync(f)
}

func (s slot) offset() int64 { return int64(s.generation%2) * page }
