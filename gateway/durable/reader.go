package durable

import (
	"errors"
	"io/fs"
)

// Reader reads the durable records of a log in order. It is for one goroutine at
// a time, keeps no descriptor between calls and needs no closing.
type Reader struct {
	log  *Log
	next Seq // the first record not handed out

	segment *segment // where it is looked for
	header  header
	off     int64

	time millis // of the frame before
	buf  []byte
	body []byte // records not handed out, from seq on
	seq  Seq
}

// NewReader returns a reader that begins with the record from, or the first
// that is left behind it.
func (l *Log) NewReader(from Seq) *Reader {
	return &Reader{log: l, next: from}
}

// Seek makes seq the next record.
func (r *Reader) Seek(seq Seq) {
	*r = Reader{log: r.log, next: seq, buf: r.buf}
}

// Next returns the next durable record, or false when there is none yet. Its
// data is valid until the next call. What is damaged is skipped and counted in
// the Stats of the log; after an error, which may be ErrClosed, nothing was
// skipped and the same record comes next.
func (r *Reader) Next() (rec Record, ok bool, err error) {
	for {
		v, ok, err := r.log.view(r.next)
		if !ok || err != nil {
			return Record{}, false, err
		}
		r.next = v.next
		for len(r.body) > 0 {
			data, rest, _ := cutRecord(r.body)
			rec := Record{Seq: r.seq, Data: data}
			r.body, r.seq = rest, r.seq+1
			if rec.Seq >= r.next {
				r.next = rec.Seq + 1
				return rec, true, nil
			}
		}
		if err := r.load(v); err != nil {
			return Record{}, false, err
		}
	}
}

// load reads the next frame, or skips something that is not one.
func (r *Reader) load(v view) error {
	if v.segment != r.segment {
		r.segment, r.header, r.off = v.segment, header{}, page
	}
	f, err := r.log.fs.Open(v.segment.name)
	if errors.Is(err, fs.ErrNotExist) {
		return r.skip(v.end)
	} else if err != nil {
		return err
	}
	defer f.Close()
	if r.header.size == 0 {
		r.header, err = readHeader(f, v.segment.base)
		if errors.Is(err, errDamaged) {
			return r.skip(v.end)
		} else if err != nil {
			return err
		}
	}
	if v.limit == 0 {
		v.limit = r.header.framesEnd()
	}
	return r.frame(f, v)
}

// frame reads the frame at r.off.
func (r *Reader) frame(f File, v view) error {
	if r.off >= v.limit {
		return r.skip(v.end)
	}
	s := frames{file: f, epoch: r.header.epoch, limit: v.limit}
	h, body, err := s.read(r.off, r.buf)
	switch {
	case errors.Is(err, errBody):
		r.off += h.size()
		return r.skip(min(h.end(), v.end))
	case errors.Is(err, errDamaged):
		off, err := s.find(r.off + 8)
		if err == nil {
			r.off = off // the gap in the numbers is counted there
		}
		return err
	case err != nil:
		return err
	case h.first > r.next: // or left by a failed commit, and written again in the next segment
		return r.skip(min(h.first, v.end))
	}
	r.off += h.size()
	r.body, r.seq, r.buf, r.time = body, h.first, body, h.time
	return nil
}

// skip gives up the records from r.next up to, but not including, to.
func (r *Reader) skip(to Seq) error {
	if err := r.log.lose(span{r.next, to}, r.time); err != nil {
		return err
	}
	r.next = max(r.next, to)
	return nil
}
