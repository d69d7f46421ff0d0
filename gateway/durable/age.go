package durable

import "time"

// epoch of clocks that were set: before it a time says nothing about an age.
var clockSet = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// expire drops the oldest segments for as long as all in them is older than Keep.
func (l *Log) expire() {
	if l.opt.Keep == 0 || time.Now().Before(l.expireAt) {
		return
	}
	for {
		newest, ok := l.oldestEnds()
		if !ok {
			l.expireAt = time.Now().Add(min(l.opt.Keep, time.Hour))
			return
		}
		if at := newest.Add(l.opt.Keep); time.Now().Before(at) {
			l.expireAt = at
			return
		}
		l.dropOldest(Age)
		if l.recycle() != nil { // saveCursor said why
			l.expireAt = time.Now().Add(retryEvery)
			return
		}
	}
}

// oldestEnds returns a time at or after which nothing was appended to the oldest
// segment; false when there is none, or nobody knows.
func (l *Log) oldestEnds() (time.Time, bool) {
	l.mu.Lock()
	segments := l.segments
	durable := l.durable
	l.mu.Unlock()
	var at millis
	switch {
	case len(segments) == 0 || segments[0].base >= durable:
		return time.Time{}, false
	case len(segments) == 1:
		at = l.timeOf(durable - 1)
	default:
		h, err := l.headerOf(segments[1])
		if err != nil {
			return time.Time{}, false
		}
		at = h.time
	}
	return at.time(), !at.time().Before(clockSet)
}

func (l *Log) headerOf(seg *segment) (header, error) {
	f, err := l.fs.Open(seg.name)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	return readHeader(f, seg.base)
}

// timeOf returns when the frame of the durable record seq was begun, or, where
// frames before it are damaged, its segment; 0 when there is no telling.
func (l *Log) timeOf(seq Seq) millis {
	v, ok, err := l.view(seq)
	if !ok || err != nil {
		return 0
	}
	f, err := l.fs.Open(v.segment.name)
	if err != nil {
		return 0
	}
	defer f.Close()
	h, err := readHeader(f, v.segment.base)
	if err != nil {
		return 0
	}
	if v.limit == 0 {
		v.limit = h.framesEnd()
	}
	s := frames{file: f, epoch: h.epoch, limit: v.limit}
	for off := int64(page); ; {
		head, err := s.head(off)
		if err != nil {
			return h.time
		}
		if head.end() > seq {
			return head.time
		}
		off += head.size()
	}
}
