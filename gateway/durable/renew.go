package durable

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// A filesystem that failed may come back as another to the kernel: a stick that
// was plugged in again, or one that was checked and mounted anew. What the log has
// open stays on the old one, so after a failure it looks where its path leads.

// mark tells a log from others: the segment of its last frame.
type mark struct {
	segment *segment // nil: none is known
	epoch   uint64
}

// renew goes on in the directory at the path of the log if that is another by now
// and holds the same log, and reports whether it did. Nothing is committed
// meanwhile.
func (l *Log) renew() bool {
	d, ok := l.fs.(*dir)
	if !ok || !d.moved() {
		return false
	}
	err := d.renew(l.disk.knows)
	if err == nil {
		l.abandon()
		err = l.disk.revisit()
	}
	switch {
	case err == nil:
		l.opt.Log.Info("queue goes on where its filesystem was mounted anew")
	case !l.disk.lost:
		l.opt.Log.Error("queue cannot go on where its path leads now", "err", err)
	}
	l.disk.lost = err != nil
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
	return err == nil
}

// troubled reports whether the disk has refused something.
func (l *Log) troubled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil || !l.roomRetryAt.IsZero() || l.disk.cursorBad
}

// knows reports why the log is not in a directory. Without a mark a cursor will do:
// an empty directory below a mount point has none.
func (s *store) knows(there FS) error {
	if s.mark.segment == nil {
		_, whole, err := (&store{fs: there}).readCursor()
		if err == nil && !whole {
			err = errElsewhere
		}
		return err
	}
	f, err := there.Open(s.mark.segment.name)
	if errors.Is(err, fs.ErrNotExist) {
		return errElsewhere
	} else if err != nil {
		return err
	}
	defer f.Close()
	h, err := readHeader(f, s.mark.segment.base)
	if err == nil && h.epoch != s.mark.epoch {
		err = errElsewhere
	}
	return err
}

var errElsewhere = errors.New("this queue is not there")

// revisit learns what else there is where the log goes on.
func (s *store) revisit() error {
	names, err := s.fs.List()
	if err != nil {
		return err
	}
	s.files, s.spares = 0, nil
	for _, name := range names {
		if base, ok := parseName(name, segmentSuffix); ok && base > 0 {
			s.files++
		}
		if n, ok := parseName(name, freeSuffix); ok {
			s.files++
			s.spares, s.serial = append(s.spares, name), max(s.serial, n)
		}
	}
	s.trim(maxSpares)
	cursor, whole, err := s.readCursor()
	s.cursor = cursor.account.acked
	if err == nil && !whole {
		err = s.createCursor()
	}
	return err
}

// moved reports whether the path leads to another directory, or to the same one by
// a mount that can be written to.
func (d *dir) moved() bool {
	now, err := os.Stat(d.path)
	if err != nil {
		return false
	}
	was, err := d.self.Stat()
	if err != nil || !os.SameFile(was, now) {
		return true
	}
	var before, after syscall.Statfs_t
	err = control(d.self, func(fd int) error { return syscall.Fstatfs(fd, &before) })
	return err == nil && before.Flags&readOnlyMount != 0 &&
		syscall.Statfs(d.path, &after) == nil && after.Flags&readOnlyMount == 0
}

const readOnlyMount = 1 // ST_RDONLY of statfs(2)

// renew makes d the directory that its path leads to now, unless check has
// something against it.
func (d *dir) renew(check func(FS) error) error {
	fresh, err := visit(d.path)
	if err != nil {
		return err
	}
	if err := check(&readOnly{dir: fresh}); err != nil {
		return errors.Join(err, fresh.Close())
	}
	d.unlock() // of the same directory only one can be locked
	if err := fresh.lock(); err != nil {
		return errors.Join(err, d.lock(), fresh.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.Close()
	d.self.Close()
	d.root, d.self = fresh.root, fresh.self
	return nil
}
