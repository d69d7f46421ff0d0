package durable

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Open opens the log in a directory, which is made when it is missing, and makes
// durable what it finds there. Errors: ErrLocked, ErrVersion, whatever the
// disk says; a log is never taken for empty because it cannot be read.
func Open(path string, opt Options) (*Log, error) {
	d, err := openDir(path)
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	l, err := OpenFS(d, opt)
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", path, err)
	}
	return l, nil
}

// OpenFS opens the log in a directory that may be a double. The log closes it.
func OpenFS(fs FS, opt Options) (*Log, error) {
	l, err := newLog(fs, opt)
	if err != nil {
		return nil, errors.Join(err, fs.Close())
	}
	if err := l.recover(); err != nil {
		l.disk.abandon()
		return nil, errors.Join(err, fs.Close())
	}
	go l.run()
	return l, nil
}

func newLog(fs FS, opt Options) (*Log, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Log{
		opt: opt, fs: fs,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		disk:    &store{fs: fs, segmentSize: opt.SegmentBytes},
		pending: queue{limit: opt.CommitBytes},
	}, nil
}

// recover follows the section "Opening" of FORMAT.md. Nobody else knows the log
// yet, so no mutex is needed. Nothing is written before everything was read.
func (l *Log) recover() error {
	if err := l.list(); err != nil {
		return err
	}
	if err := l.fs.Sync(); err != nil { // first, so that no removed segment comes back as the newest
		return err
	}
	cursor, whole, err := l.disk.readCursor()
	if err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	l.ledger.restore(cursor.account)
	end, err := l.recoverTail()
	if err != nil {
		return err
	}
	if len(l.segments) > 0 {
		l.recoverLoss(l.ledger.acked, l.segments[0].base)
	}
	l.next = max(end, cursor.end, l.ledger.acked)
	l.durable = l.next
	l.recoverLoss(max(end, l.ledger.acked), l.next)
	if err := l.recoverCursor(whole); err != nil {
		return fmt.Errorf("cursor: %w", err)
	}
	l.disk.trim(max(maxSpares, l.opt.minFiles()-len(l.segments)))
	l.look()
	return nil
}

// recoverLoss counts the records from from up to to as damaged.
func (l *Log) recoverLoss(from, to Seq) {
	n, _ := l.ledger.settle(span{from, to}, damaged)
	if n > 0 {
		loss := Loss{From: from, To: to, Records: n, Reason: Damage}
		l.lost(loss, 0)
		l.report(loss)
	}
}

// list finds the segment files.
func (l *Log) list() error {
	names, err := l.fs.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if base, ok := parseName(name, segmentSuffix); ok && base > 0 {
			l.segments = append(l.segments, newSegment(Seq(base)))
		}
		if n, ok := parseName(name, freeSuffix); ok {
			l.disk.spares = append(l.disk.spares, name)
			l.disk.serial = max(l.disk.serial, n)
		}
	}
	slices.SortFunc(l.segments, func(a, b *segment) int { return cmp.Compare(a.base, b.base) })
	l.disk.files = len(l.segments) + len(l.disk.spares)
	return nil
}

// recoverTail reads the newest segment, goes on with it if it can be written to,
// and returns the end of what is in it.
func (l *Log) recoverTail() (Seq, error) {
	if len(l.segments) == 0 {
		return 0, nil
	}
	seg := l.segments[len(l.segments)-1]
	f, err := l.fs.Open(seg.name)
	if err != nil {
		return 0, err
	}
	end, keep, err := l.recoverFile(seg, f)
	if !keep {
		f.Close()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", seg.name, err)
	}
	return end, nil
}

func (l *Log) recoverFile(seg *segment, f File) (end Seq, keep bool, err error) {
	size, err := f.Size()
	if err != nil {
		return 0, false, err
	}
	h, err := readHeader(f, seg.base)
	if errors.Is(err, errDamaged) {
		n, err := frames{file: f, limit: size - page}.count(seg.base)
		l.recoverLoss(seg.base, seg.base+n)
		return seg.base + n, false, err
	} else if err != nil {
		return 0, false, err
	}
	last, err := scan(frames{file: f, epoch: h.epoch, limit: h.framesEnd()}, h)
	if err != nil {
		return 0, false, err
	}
	if last.account.revision > l.ledger.revision {
		l.ledger.restore(last.account)
	}
	keep = size == h.size
	if err := l.disk.rewrite(f, h, last); err != nil {
		return 0, false, err
	}
	l.disk.mark = mark{seg, h.epoch}
	if keep {
		l.disk.tail = &tail{segment: seg, file: f, header: h, off: last.off}
	}
	return last.end, keep, nil
}

// scanned is what the newest segment holds.
type scanned struct {
	start, off int64 // of the last frame, and its end
	end        Seq
	account    account
}

// scan reads all frames of a segment. Holes between them are left to the readers.
func scan(s frames, h header) (scanned, error) {
	last := scanned{start: page, off: page, end: h.base, account: h.account}
	var buf []byte
	for off := int64(page); off < s.limit; {
		fh, body, err := s.read(off, buf)
		if errors.Is(err, errDamaged) {
			if off, err = s.find(off + 8); err != nil {
				return last, err
			}
			continue
		} else if err != nil {
			return last, err
		}
		buf = body
		last.start, off = off, off+fh.size()
		last.off, last.end = off, fh.end()
		if fh.account.revision > last.account.revision {
			last.account = fh.account
		}
	}
	return last, nil
}

// rewrite makes durable what may be in the page cache only, even when the kernel
// takes it for written: the headers and the last frame. All else was synced
// before the next frame began.
func (s *store) rewrite(f File, h header, last scanned) error {
	frame := make([]byte, last.off-last.start)
	if err := readFull(f, frame, last.start); err != nil {
		return err
	}
	if err := s.write(f, frame, last.start); err != nil {
		return err
	}
	return s.writeHeader(f, h)
}

// recoverCursor writes the cursor anew: what was read may be in the page cache
// only, so the slot that was read is made durable before the other is touched.
func (l *Log) recoverCursor(whole bool) error {
	if !whole {
		if err := l.disk.createCursor(); err != nil {
			return err
		}
		if err := l.fs.Sync(); err != nil {
			return err
		}
	}
	if err := l.disk.rewriteCursor(); err != nil {
		return err
	}
	acc := l.ledger.snapshot()
	l.saved(acc)
	return l.disk.writeCursor(l.durable, acc)
}

// trim removes the spares that are not whole, of another size, or beyond most.
func (s *store) trim(most int) {
	kept := s.spares[:0]
	for _, name := range s.spares {
		if len(kept) < most && s.whole(name) {
			kept = append(kept, name)
		} else {
			s.discard(name)
		}
	}
	s.spares = kept
}

func (s *store) whole(name string) bool {
	f, err := s.fs.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	size, err := f.Size()
	return err == nil && size == s.segmentSize
}
