package durable

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"slices"
)

// Files is a log as its files show it. It takes no lock and changes nothing, so
// it may be read beside the process that has the log open: what that writes or
// empties meanwhile is seen, or not, in whole frames.
type Files struct {
	dir     *readOnly
	account account
	end     Seq // all records below were durable at some time
	bases   []Seq
	settled ledger
}

// Segment is the head of a segment file.
type Segment struct {
	Name  string
	Base  Seq
	Bytes int64
	Epoch uint64
	Begun int64 // milliseconds since 1970
	Err   error // the header is damaged in both copies, or cannot be read
}

// Frame is one commit. With Err its records are damaged, and where even their
// numbers are, First is 0.
type Frame struct {
	Offset, Bytes int64
	First         Seq
	Count         int
	Time          int64 // milliseconds since 1970
	Acked         Seq   // cursor of that moment
	Records       [][]byte
	Err           error
}

// OpenFiles opens the files of the log in a directory for reading.
func OpenFiles(path string) (*Files, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f := &Files{dir: &readOnly{&dir{root: root}}}
	if err := f.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("read queue %s: %w", path, err), root.Close())
	}
	return f, nil
}

// Close closes the directory.
func (f *Files) Close() error { return f.dir.root.Close() }

func (f *Files) read() error {
	names, err := f.dir.List()
	if err != nil {
		return err
	}
	for _, name := range names {
		if base, ok := parseName(name, segmentSuffix); ok && base > 0 {
			f.bases = append(f.bases, Seq(base))
		}
	}
	slices.Sort(f.bases)
	cursor, _, err := (&store{fs: f.dir}).readCursor()
	if err != nil {
		return err
	}
	f.account, f.end = cursor.account, max(cursor.end, cursor.account.acked)
	if n := len(f.bases); n > 0 {
		err = f.readNewest(newSegment(f.bases[n-1]))
	}
	f.settled.restore(f.account)
	return err
}

// readNewest looks for a newer account and for the end in the newest segment.
func (f *Files) readNewest(seg *segment) error {
	file, err := f.dir.Open(seg.name)
	if err != nil {
		return err
	}
	defer file.Close()
	h, err := readHeader(file, seg.base)
	if errors.Is(err, errDamaged) {
		return nil // Frames says so
	} else if err != nil {
		return err
	}
	last, err := scan(frames{file: file, epoch: h.epoch, limit: h.framesEnd()}, h)
	f.end = max(f.end, last.end)
	if last.account.revision > f.account.revision {
		f.account = last.account
	}
	return err
}

// Stats returns the account as the medium has it. Damage that nobody came upon
// yet is in the backlog.
func (f *Files) Stats() Stats {
	g := &f.settled
	return Stats{
		Appended:  uint64(f.end - 1),
		Delivered: g.total(delivered),
		Overflow:  g.total(dropped),
		Expired:   g.total(expired),
		Damage:    g.total(damaged),
		Dead:      g.total(dead),
		Backlog:   g.backlog(f.end),
		Durable:   f.end,
	}
}

// Acked returns the cursor.
func (f *Files) Acked() Seq { return f.account.acked }

// Untold returns how many lost records are news.
func (f *Files) Untold() uint64 { return f.settled.lost() - min(f.account.told, f.settled.lost()) }

// Segments returns the segments, the oldest first.
func (f *Files) Segments() []Segment {
	var out []Segment
	for _, base := range f.bases {
		out = append(out, f.segment(newSegment(base)))
	}
	return out
}

func (f *Files) segment(seg *segment) Segment {
	s := Segment{Name: seg.name, Base: seg.base}
	file, err := f.dir.Open(seg.name)
	if err != nil {
		s.Err = err
		return s
	}
	defer file.Close()
	h, err := readHeader(file, seg.base)
	s.Bytes, s.Epoch, s.Begun, s.Err = h.size, h.epoch, int64(h.time), err
	return s
}

// Frames yields the frames of a segment, damaged ones too.
func (f *Files) Frames(s Segment) iter.Seq[Frame] {
	return func(yield func(Frame) bool) {
		file, err := f.dir.Open(s.Name)
		if err != nil {
			yield(Frame{Err: err})
			return
		}
		defer file.Close()
		each(frames{file: file, epoch: s.Epoch, limit: header{size: s.Bytes}.framesEnd()}, yield)
	}
}

// each yields the frames there are up to the limit.
func each(s frames, yield func(Frame) bool) {
	for off := int64(page); off < s.limit; {
		h, body, err := s.read(off, nil)
		fr := Frame{Offset: off, Bytes: h.size(), First: h.first, Count: int(h.count), Time: int64(h.time), Acked: h.account.acked, Err: err}
		switch {
		case errors.Is(err, errBody):
			off += h.size()
		case errors.Is(err, errDamaged):
			next, findErr := s.find(off + 8)
			if findErr == nil && next == s.limit {
				return // nothing is behind it: the end, or what a power cut left there
			}
			fr = Frame{Offset: off, Bytes: next - off, Err: cmp.Or(findErr, err)}
			off = next
			if findErr != nil {
				off = s.limit
			}
		case err != nil:
			off = s.limit
		default:
			off += h.size()
			for range h.count {
				var rec []byte
				rec, body, _ = cutRecord(body)
				fr.Records = append(fr.Records, rec)
			}
		}
		if !yield(fr) {
			return
		}
	}
}

// Backlog yields the records that have met no fate and can be read, in order. Its
// last word is an error when the disk does not let it read on.
func (f *Files) Backlog() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		next := f.settled.unread(1)
		for i, s := range f.Segments() {
			end := f.end
			if i+1 < len(f.bases) {
				end = f.bases[i+1]
			}
			if end <= next {
				continue
			}
			for fr := range f.Frames(s) {
				if fr.Err != nil && !errors.Is(fr.Err, errDamaged) {
					if !errors.Is(fr.Err, fs.ErrNotExist) { // or it was emptied meanwhile
						yield(Record{}, fr.Err)
						return
					}
					continue
				}
				for j, data := range fr.Records {
					seq := fr.First + Seq(j)
					if seq < next || seq >= end || f.settled.past(seq) != seq {
						continue
					}
					if next = seq + 1; !yield(Record{seq, data}, nil) {
						return
					}
				}
			}
		}
	}
}

// readOnly is a directory in which nothing can be changed.
type readOnly struct{ *dir }

func (d *readOnly) Open(name string) (File, error) { return d.openFrozen(name) }
