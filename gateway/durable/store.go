package durable

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const maxSpares = 2 // one is in use soon, one takes the place of the next that is emptied

// store is everything that writes: the newest segment, the reserved files, the
// cursor. It belongs to one goroutine: the one that opens the log, then the
// committer.
type store struct {
	fs          FS
	segmentSize int64
	files       int      // segment files there are, in use or not
	spares      []string // reserved, not in use
	serial      uint64   // of the last name given to a free file
	renamed     bool     // a spare may still have its old name on the medium
	tail        *tail    // nil: the next frame begins a segment
	mark        mark     // of the last frame
	lost        bool     // where the path leads now the log is not
	newest      slot     // of the cursor, when it was read
	generation  uint64   // of the newest cursor slot
	cursor      Seq      // acked, as the cursor file has it
	cursorBad   bool     // the last write of the cursor failed

	bytes, syncs atomic.Uint64
}

// tail is the segment that frames are written to.
type tail struct {
	segment *segment
	file    File
	header  header
	off     int64 // end of the last durable frame
}

func (t *tail) room() int64 {
	if t == nil {
		return 0
	}
	return t.header.framesEnd() - t.off
}

// reserve adds a file to the spares.
func (s *store) reserve() error {
	name := s.freeName()
	f, err := s.fs.Create(name, s.segmentSize)
	if err != nil {
		return err
	}
	s.files++
	s.spares = append(s.spares, name)
	return f.Close()
}

// begin makes a spare the tail. Nothing is written to it before it has lost its
// old name, and it gets its new one only after its header is durable: a segment
// without its own header was damaged later.
func (s *store) begin(base Seq, acc account) error {
	s.abandon()
	if len(s.spares) == 0 {
		return errors.New("no segment is reserved")
	}
	if s.renamed {
		if err := s.syncNames(); err != nil {
			return err
		}
	}
	name := s.spares[len(s.spares)-1]
	s.spares = s.spares[:len(s.spares)-1]
	t := &tail{
		segment: newSegment(base),
		header:  header{size: s.segmentSize, base: base, epoch: rand.Uint64(), time: millisOf(time.Now()), account: acc},
		off:     page,
	}
	if err := s.prepare(t, name); err != nil {
		s.discard(name)
		return err
	}
	if err := s.fs.Rename(name, t.segment.name); err != nil {
		t.file.Close()
		s.discard(name)
		return err
	}
	if err := s.syncNames(); err != nil {
		t.file.Close()
		s.discard(t.segment.name)
		return err
	}
	s.tail = t
	return nil
}

// prepare opens a spare and writes the header of t to it.
func (s *store) prepare(t *tail, name string) error {
	f, err := s.fs.Open(name)
	if err != nil {
		return err
	}
	if err := s.writeHeader(f, t.header); err != nil {
		f.Close()
		return err
	}
	t.file = f
	return nil
}

func (s *store) writeHeader(f File, h header) error {
	b := h.encode()
	if err := s.write(f, b, 0); err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return err
	}
	if size == h.size { // else it was cut short, and the rest is not reserved
		if err := s.write(f, b, h.framesEnd()); err != nil {
			return err
		}
	}
	return s.sync(f)
}

// append writes a frame, whose head is blank but for its room, behind the last.
func (s *store) append(frame []byte, h head) error {
	t := s.tail
	sealFrame(frame, t.header.epoch, h)
	if err := s.write(t.file, frame, t.off); err != nil {
		return err
	}
	if err := s.sync(t.file); err != nil {
		return err
	}
	t.off += int64(len(frame))
	s.mark = mark{t.segment, t.header.epoch}
	return nil
}

// abandon closes the tail: nothing more is written to it.
func (s *store) abandon() {
	if s.tail != nil {
		s.tail.file.Close() // what counts is synced
		s.tail = nil
	}
}

// recycle makes a spare of a segment file, or removes it when there are enough
// and more files than minFiles, or more than maxFiles.
func (s *store) recycle(seg *segment, minFiles, maxFiles int) error {
	if s.mark.segment == seg {
		s.mark = mark{}
	}
	if len(s.spares) >= maxSpares && s.files > minFiles || s.files > maxFiles {
		return s.remove(seg.name)
	}
	name := s.freeName()
	if err := s.fs.Rename(seg.name, name); errors.Is(err, fs.ErrNotExist) {
		s.files--
		return nil // lost before, and counted
	} else if err != nil {
		return err
	}
	s.spares, s.renamed = append(s.spares, name), true
	return nil
}

func (s *store) syncNames() error {
	err := s.fs.Sync()
	s.renamed = s.renamed && err != nil
	return err
}

func (s *store) remove(name string) error {
	err := s.fs.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		s.files--
		return nil
	}
	return err
}

// discard removes, as far as the disk lets it, a file that could not be used.
func (s *store) discard(name string) {
	if s.fs.Remove(name) == nil {
		s.files--
	}
}

func (s *store) freeName() string {
	s.serial++
	return fileName(s.serial, freeSuffix)
}

func (s *store) write(f File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	s.bytes.Add(uint64(n))
	return err
}

func (s *store) sync(f File) error {
	s.syncs.Add(1)
	return f.Sync()
}
