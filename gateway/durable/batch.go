package durable

import "time"

// batch is the records of one commit, already laid out as a frame.
type batch struct {
	first  Seq
	count  uint32
	frame  []byte // room for the head, then the body
	since  time.Time
	sealed bool // takes no more records
}

func newBatch(first Seq) *batch {
	return &batch{first: first, frame: make([]byte, headSize, 1024), since: time.Now()}
}

func (b *batch) bodyLen() int { return len(b.frame) - headSize }
func (b *batch) end() Seq     { return b.first + Seq(b.count) }
func (b *batch) size() int64  { return alignUp(int64(len(b.frame))) }

func (b *batch) add(rec []byte) {
	b.frame = appendRecord(b.frame, rec)
	b.count++
}

// head describes the frame, which is padded to its size on disk.
func (b *batch) head(acc account) head {
	return head{length: uint32(b.bodyLen()), count: b.count, first: b.first, time: millisOf(b.since), account: acc}
}

func (b *batch) padded() []byte {
	n := len(b.frame)
	padded := append(b.frame, make([]byte, b.size()-int64(n))...)
	return padded
}

// queue is the batches that are not durable yet, in order. Only the last takes
// records; the first may be on its way to the disk.
type queue struct {
	batches []*batch
	limit   int // of a body, unless it is a single record
}

// add puts a record into the last batch, or a new one.
func (q *queue) add(seq Seq, rec []byte) {
	b := q.last()
	if b == nil || b.sealed || b.bodyLen()+recordSize(rec) > q.limit {
		if b != nil {
			b.sealed = true
		}
		b = newBatch(seq)
		q.batches = append(q.batches, b)
	}
	b.add(rec)
	b.sealed = b.bodyLen() >= q.limit
}

func (q *queue) first() *batch {
	if len(q.batches) == 0 {
		return nil
	}
	return q.batches[0]
}

func (q *queue) last() *batch {
	if len(q.batches) == 0 {
		return nil
	}
	return q.batches[len(q.batches)-1]
}

func (q *queue) pop() { q.batches = append(q.batches[:0], q.batches[1:]...) }

// size is what the batches will take on disk.
func (q *queue) size() int64 {
	var n int64
	for _, b := range q.batches {
		n += b.size()
	}
	return n
}

// recordSize is the most a record takes in a body.
func recordSize(rec []byte) int { return 5 + len(rec) }
