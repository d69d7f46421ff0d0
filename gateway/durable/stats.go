package durable

// Reason says why a record was lost.
type Reason uint8

const (
	Overflow Reason = iota + 1 // dropped at the limit, or on request
	Age                        // dropped because older than Keep
	Damage                     // not readable any more
)

// The reasons are the fates of lost records.
func (r Reason) fate() fate { return dropped + fate(r-Overflow) }

func (r Reason) String() string {
	switch r {
	case Overflow:
		return "overflow"
	case Age:
		return "age"
	case Damage:
		return "damage"
	}
	return "none"
}

// Loss is one event in which records were lost: those of the range From to
// To-1 that were neither delivered nor lost before.
type Loss struct {
	From, To Seq
	Records  uint64
	Reason   Reason
}

// Stats is a snapshot. The records are counted since the log was created, and
// Appended = Delivered + Overflow + Expired + Damage + Dead + Backlog holds in
// every snapshot. A record that is dropped before its acknowledgement came counts
// as dropped.
type Stats struct {
	Appended  uint64 // includes records that are not durable yet
	Delivered uint64
	Overflow  uint64 // dropped at the limit, or on request
	Expired   uint64 // dropped because of their age
	Damage    uint64
	Dead      uint64 // buried
	Backlog   uint64

	Durable      Seq   // every record below is on the medium
	BacklogBytes int64 // on disk and in memory; exact to about a segment
	MaxBytes     int64 // what BacklogBytes may come to
	LastLoss     Loss  // since the log was opened
	Failed       error // why the last commit failed; nil when it did not
	Events
}

// Events count since the log was opened.
type Events struct {
	Refused  uint64 // records that Append did not take
	Commits  uint64 // frames
	Rewrites uint64 // frames written again after an error

	FrameBytes uint64 // of the frames that were committed
	Bytes      uint64 // given to the disk: frames, headers, cursors
	Syncs      uint64 // of files
}

// Stats returns the account of the log.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := &l.ledger
	s := Stats{
		Appended:     uint64(l.next - 1),
		Delivered:    g.total(delivered),
		Overflow:     g.total(dropped),
		Expired:      g.total(expired),
		Damage:       g.total(damaged),
		Dead:         g.total(dead),
		Backlog:      g.backlog(l.next),
		Durable:      l.durable,
		BacklogBytes: l.backlogBytes(),
		MaxBytes:     int64(l.opt.maxFiles()) * (l.opt.SegmentBytes - 2*page),
		LastLoss:     l.lastLoss,
		Failed:       l.failed,
		Events:       l.events,
	}
	s.Bytes, s.Syncs = l.disk.bytes.Load(), l.disk.syncs.Load()
	return s
}

// backlogBytes takes the records of the oldest segment to be of equal size.
func (l *Log) backlogBytes() int64 {
	n := l.pending.size()
	for i, seg := range l.segments {
		used := l.opt.SegmentBytes - 2*page
		if seg == l.tail.segment {
			used = l.tail.off - page
		}
		whole := span{seg.base, l.end(i)}.len()
		left := span{max(seg.base, l.ledger.acked), l.end(i)}.len()
		if whole > 0 {
			n += int64(float64(used) * float64(left) / float64(whole))
		}
	}
	return n
}
