package journal

import (
	"context"
	"time"

	"sluice/gateway/durable"
)

// Item is a message that sessions have copies of.
type Item struct {
	journal *Journal
	number  uint64
	content int32 // bytes
	expires int64 // ms since 1970; 0: never

	// Guarded by the journal's mutex.
	copies   int32 // not settled
	recorded bool  // a record was made, or tried: the log may know of copies
	place    place // of the record; seq 0: it is not on the medium
	pending  *pending
}

// pending is what the item is until it is on the medium.
type pending struct {
	message *Message
	copies  []pendingCopy
	bytes   int // of the copies, encoded
	from    *Session
	id      uint16
	stored  bool // it is among what is to be written
}

type pendingCopy struct {
	session *Session
	Copy
}

// NewItem returns an item without copies. It is not kept before Store.
func (j *Journal) NewItem(m *Message) *Item {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastItem++
	it := &Item{journal: j, number: j.lastItem, content: int32(m.Size()), pending: &pending{message: m}}
	if !m.Expires.IsZero() {
		it.expires = m.Expires.UnixMilli()
	}
	return it
}

// Fits reports whether a message can be kept, for sessions whose copies have so many
// subscription identifiers. One that does not would stop the journal.
func (j *Journal) Fits(m *Message, identifiers int) bool {
	return m.Size()+j.copiesAtMost()+copyBytes(identifiers)+maxHead <= j.large
}

func (j *Journal) copiesAtMost() int { return min(maxCopies, j.large/4) }

// copyBytes is how long a copy is in a record, at most.
func copyBytes(identifiers int) int { return 24 + 5*identifiers }

// Size is how many bytes of content there are.
func (it *Item) Size() int { return int(it.content) }

// Expired reports whether the time of the message has passed.
func (it *Item) Expired(now time.Time) bool { return it.expires != 0 && now.UnixMilli() >= it.expires }

// Full reports whether another item should take further copies.
func (it *Item) Full() bool {
	it.journal.mu.Lock()
	defer it.journal.mu.Unlock()
	return it.pending.bytes > it.journal.copiesAtMost()
}

// Add gives the session a copy. It must come before Store.
func (s *Session) Add(it *Item, c Copy) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	it.copies++
	it.pending.copies = append(it.pending.copies, pendingCopy{s, c})
	it.pending.bytes += copyBytes(len(c.Identifiers))
	s.progress.last = max(s.progress.last, c.Ordinal)
}

// Skip takes note of an ordinal that no message has.
func (s *Session) Skip(ordinal uint64) {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	s.progress.last = max(s.progress.last, ordinal)
	s.progress.settle(ordinal)
}

// Receive notes with the message the packet identifier by which a publisher sent it
// with QoS 2. It must come before Store.
func (s *Session) Receive(it *Item, id uint16) {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	it.pending.from, it.pending.id = s, id
}

// Store has the item written: without delay if somebody waits for it or a copy has
// QoS 2, else in a while, unless all copies are settled before. It returns how to
// wait for either.
func (it *Item) Store(urgent bool) (wait func(context.Context) error) {
	j := it.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	it.pending.stored = true
	if it.unneeded() {
		it.pending = nil
		return nil
	}
	j.push(op{item: it})
	j.pending += int64(it.content)
	for _, c := range it.pending.copies {
		urgent = urgent || c.QoS == 2
	}
	if urgent || j.pending > soonBytes {
		j.nudge()
	}
	return j.commit.Wait
}

// unneeded reports whether the item need not be written. The mutex is held.
func (it *Item) unneeded() bool { return it.copies == 0 && it.pending.from == nil }

// Durable reports whether the item is on the medium.
func (it *Item) Durable() bool {
	it.journal.mu.Lock()
	defer it.journal.mu.Unlock()
	return it.place.seq > 0
}

// Drop is Settle for a session that is about to end.
func (it *Item) Drop() {
	it.journal.mu.Lock()
	defer it.journal.mu.Unlock()
	it.journal.release(it)
}

// release takes a copy away from it. The mutex is held.
func (j *Journal) release(it *Item) {
	if it.copies--; it.copies > 0 {
		return
	}
	if it.place.seq > 0 {
		j.live -= it.place.size
		delete(j.items, it.number)
	}
	if it.pending != nil && it.pending.stored && it.pending.from == nil {
		it.pending.message = nil // write leaves it out
	}
}

// Reader reads messages back, best in the order in which they were stored. It is
// for one goroutine at a time.
type Reader struct {
	journal *Journal
	records *durable.Reader
	next    durable.Seq
}

// near is how many records it is better to read over than to look for one.
const near = 256

// Load returns the message of an item with copies; nil when it was lost, which the
// log has counted.
func (r *Reader) Load(it *Item) (*Message, error) {
	for {
		m, at := r.journal.find(it)
		if m != nil || at == 0 {
			return m, nil
		}
		rec, ok, err := r.read(at)
		if err != nil {
			return nil, err
		}
		if ok && rec.Seq == at {
			s := &scanner{rest: rec.Data[1:]}
			if _, ok := parseHead(s); ok {
				return parseMessage(s)
			}
			return nil, nil
		}
		if _, now := r.journal.find(it); now == at {
			return nil, nil
		}
	}
}

// find returns the message, or where its record is.
func (j *Journal) find(it *Item) (*Message, durable.Seq) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if it.pending != nil {
		return it.pending.message, 0
	}
	return nil, it.place.seq
}

func (r *Reader) read(at durable.Seq) (rec durable.Record, ok bool, err error) {
	if r.records == nil {
		r.records = r.journal.log.NewReader(at)
	} else if at < r.next || at > r.next+near {
		r.records.Seek(at)
	}
	r.next = at
	for {
		rec, ok, err = r.records.Next()
		if err != nil || !ok {
			r.records = nil
			return rec, ok, err
		}
		r.next = rec.Seq + 1
		if rec.Seq >= at {
			return rec, true, nil
		}
	}
}
