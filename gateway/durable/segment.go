package durable

import (
	"errors"
	"io"
)

// segment is a segment file that holds records. Its end is the base of the next.
// It never changes and is told by its pointer: a file of the same name may be
// another segment.
type segment struct {
	base Seq
	name string
}

func newSegment(base Seq) *segment {
	return &segment{base: base, name: fileName(uint64(base), segmentSuffix)}
}

// frames reads the frames of one segment file, up to limit.
type frames struct {
	file  File
	epoch uint64
	limit int64
}

// readHeader returns the header of a segment from whichever copy is whole.
func readHeader(f File, base Seq) (header, error) {
	size, err := f.Size()
	if err != nil {
		return header{}, err
	}
	b := make([]byte, stampSize)
	for _, off := range []int64{0, size - page} {
		if off < 0 {
			continue
		}
		err := readFull(f, b, off)
		var h header
		if err == nil {
			h, err = parseHeader(b)
		}
		if err == nil && h.base == base {
			return h, nil
		}
		if err != nil && !errors.Is(err, errDamaged) {
			return header{}, err
		}
	}
	return header{}, errDamaged
}

// head reads the head of the frame at off.
func (s frames) head(off int64) (head, error) {
	b := make([]byte, headSize)
	if off+headSize > s.limit {
		return head{}, errDamaged
	}
	if err := readFull(s.file, b, off); err != nil {
		return head{}, err
	}
	h, err := parseHead(b, s.epoch)
	if err == nil && off+h.size() > s.limit {
		return head{}, errDamaged
	}
	return h, err
}

// read reads the frame at off; its body stands in buf when that is long enough.
// With errBody the head is good, with errDamaged nothing is.
func (s frames) read(off int64, buf []byte) (head, []byte, error) {
	h, err := s.head(off)
	if err != nil {
		return h, nil, err
	}
	rest := int(h.size() - headSize) // with the padding
	if cap(buf) < rest {
		buf = make([]byte, rest)
	}
	if err := readFull(s.file, buf[:rest], off+headSize); err != nil && !errors.Is(err, errDamaged) {
		return h, nil, err
	} else if err != nil || !checkBody(buf[:h.length], s.epoch, h) {
		return h, nil, errBody
	}
	return h, buf[:h.length], nil
}

// find returns where the first frame at or behind off starts; limit when there
// is none.
func (s frames) find(off int64) (int64, error) {
	b := make([]byte, 64<<10)
	for off < s.limit {
		chunk := b[:min(int64(len(b)), s.limit-off)]
		n, err := s.file.ReadAt(chunk, off)
		if err != nil && err != io.EOF {
			return 0, err
		}
		for i := 0; i+len(frameMagic) <= n; i += 8 {
			if string(chunk[i:i+len(frameMagic)]) != frameMagic {
				continue
			}
			if _, err := s.head(off + int64(i)); !errors.Is(err, errDamaged) {
				return off + int64(i), err
			}
		}
		if n < len(chunk) {
			break // the file is shorter than it should be
		}
		off += int64(n)
	}
	return s.limit, nil
}

// count returns how many records the frames from the first on claim to hold. It
// needs no epoch and trusts nothing but the chain of numbers: good enough to
// say what was lost with both headers, and for nothing else.
func (s frames) count(base Seq) (Seq, error) {
	b := make([]byte, headSize)
	next := base
	for off := int64(page); off+headSize <= s.limit; {
		if err := readFull(s.file, b, off); errors.Is(err, errDamaged) {
			break
		} else if err != nil {
			return 0, err
		}
		h, ok := decodeHead(b)
		if !ok || h.first != next {
			break
		}
		next = h.end()
		off += h.size()
	}
	return next - base, nil
}

// readFull fills b; a file that ends too early is damaged.
func readFull(f File, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		return errDamaged
	}
	return err
}
