package journal

import (
	"cmp"
	"context"
	"encoding/binary"
	"time"

	"sluice/gateway/durable"
)

// op is a record to be written: of an item, or of a session with its content.
type op struct {
	item    *Item
	session *Session
	key     key
	data    []byte
	gone    bool // it takes the record of the key away

	place place // where it was appended
}

func appendNumber(kind byte, number uint64) []byte {
	return binary.AppendUvarint([]byte{kind}, number)
}

// push has an op written some time. The mutex is held.
func (j *Journal) push(o op) { j.ops = append(j.ops, o) }

// nudge has everything written that is to be written. The mutex is held.
func (j *Journal) nudge() {
	signal(j.wake)
	if j.pending > soonBytes {
		signal(j.soon)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// String returns the journal's name in logs.
func (j *Journal) String() string { return "sessions" }

// Run writes until ctx is cancelled, then all that is left. A journal is run once.
func (j *Journal) Run(ctx context.Context) error {
	lazy := time.NewTicker(lazyEvery)
	defer lazy.Stop()
	for {
		select {
		case <-ctx.Done():
			return j.write()
		case <-lazy.C:
			j.retryReads()
		case <-j.wake:
			j.collect(ctx)
		}
		err := j.write()
		if err == nil {
			err = j.compact()
		}
		if err != nil { // the log has said why
			pause(ctx, retryEvery)
		}
	}
}

// collect gives others the time to be written together with who has woken Run.
func (j *Journal) collect(ctx context.Context) {
	timer := time.NewTimer(j.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.soon:
	case <-ctx.Done():
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Close gives the directory back. What Run has not written is lost, and those who
// wait for it are told.
func (j *Journal) Close() error {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		j.commit.End(ErrClosed)
	}
	j.mu.Unlock()
	return j.log.Close()
}

// batch is what is written together.
type batch struct {
	number uint64
	ops    []op
	commit *durable.Promise
}

// write writes all that is to be written.
func (j *Journal) write() error {
	b, ok := j.take()
	if !ok {
		return ErrClosed
	}
	err := j.append(b.ops)
	for _, s := range j.finish(b, err) {
		s.wake(b.number)
	}
	b.commit.End(err)
	return err
}

// take begins a new batch and returns the one before; false when the journal is
// closed.
func (j *Journal) take() (batch, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return batch{}, false
	}
	b := batch{number: j.batch, commit: j.commit, ops: j.ops}
	for s := range j.dirty {
		b.ops = append(b.ops, s.takeChanges()...)
	}
	clear(j.dirty)
	j.ops, j.commit = nil, durable.NewPromise()
	j.batch++
	return b, true
}

// takeChanges returns the records of the session itself that have changed.
func (s *Session) takeChanges() (ops []op) {
	if s.changed.progress { // first: what was sent must be known when the end of the connection is
		ops = append(ops, op{session: s, key: key{kind: kindProgress}, data: s.progress.append(nil, s.number)})
	}
	if s.changed.state {
		ops = append(ops, s.stateOp())
	}
	s.changed = changes{}
	return ops
}

// append returns when all of ops that still count are on the medium.
func (j *Journal) append(ops []op) error {
	var last durable.Seq
	var room []byte
	for i := range ops {
		rec, ok := j.encode(&ops[i], room)
		if !ok {
			continue
		}
		seq, err := j.log.Append(rec)
		if err != nil {
			return err
		}
		ops[i].place = place{seq, int64(len(rec))}
		if last = seq; ops[i].item != nil {
			room = rec[:0]
		}
	}
	if last == 0 {
		return nil
	}
	return j.log.Wait(context.Background(), last)
}

// encode returns the record of o, in room if it fits; false when it does not count
// any more.
func (j *Journal) encode(o *op, room []byte) ([]byte, bool) {
	if o.item == nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		return o.data, !o.session.ended || o.key.kind == kindEnd
	}
	h, m, ok := j.prepare(o.item)
	if !ok {
		return nil, false
	}
	return appendMessage(h.append(room), m), true
}

// prepare returns what is to be written of an item.
func (j *Journal) prepare(it *Item) (head, *Message, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := it.pending
	if from := p.from; from != nil && from.ended {
		p.from = nil
	}
	if it.unneeded() {
		return head{}, nil, false
	}
	h := head{number: it.number}
	if p.from != nil {
		h.from, h.id = p.from.number, p.id
	}
	for _, c := range p.copies {
		if !c.session.ended && !c.session.progress.settled(c.Ordinal) {
			h.copies = append(h.copies, copyOf{c.session.number, c.Copy})
		}
	}
	it.recorded = true
	return h, p.message, true
}

// finish takes note of what became of a batch, and returns the sessions that wait
// for it.
func (j *Journal) finish(b batch, err error) (waiting map[uint64]*Session) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed = err; err != nil {
		j.putBack(b)
		return nil
	}
	j.written = b.number
	waiting = map[uint64]*Session{}
	for _, o := range b.ops {
		switch {
		case o.item != nil:
			j.stored(o, waiting)
		case !o.session.ended || o.key.kind == kindEnd:
			j.recorded(o)
			if o.key.kind == kindProgress && len(o.session.progress.released) > 0 {
				waiting[o.session.number] = o.session
			}
		}
	}
	return waiting
}

// putBack has what could not be written written with the next batch. Of a session
// itself the newest counts.
func (j *Journal) putBack(b batch) {
	var ops []op
	for _, o := range b.ops {
		_, known := o.session.recordOf(o.key)
		switch {
		case o.key.kind == kindSession && known:
			o.session.touch(changes{state: true})
		case o.key.kind == kindProgress:
			o.session.touch(changes{progress: true})
		default:
			ops = append(ops, o)
		}
	}
	j.ops = append(ops, j.ops...)
}

// stored takes note that an item was written, or was not needed any more.
func (j *Journal) stored(o op, waiting map[uint64]*Session) {
	it := o.item
	p := it.pending
	it.pending = nil
	j.pending -= int64(it.content)
	if o.place.seq == 0 {
		return
	}
	if p.from != nil && !p.from.ended {
		p.from.put(key{kind: kindReceived, id: p.id}, place{o.place.seq, 16})
	}
	if it.copies > 0 {
		it.place = o.place
		j.items[it.number] = it
		j.live += it.place.size
	}
	for _, c := range p.copies {
		switch {
		case c.session.ended:
		case c.session.progress.settled(c.Ordinal):
			c.session.touch(changes{progress: true}) // the record says otherwise
		case c.QoS == 2:
			waiting[c.session.number] = c.session
		}
	}
}

// recorded takes note that a record of a session was written.
func (j *Journal) recorded(o op) {
	s := o.session
	if o.key.kind == kindEnd {
		for _, p := range s.records {
			j.live -= p.size
		}
		clear(s.records)
		return
	}
	if o.key.kind == kindReceived && o.gone {
		s.freeing--
	}
	if o.gone {
		j.live -= s.records[o.key].size
		delete(s.records, o.key)
		return
	}
	s.put(o.key, o.place)
}

// recordOf returns where the newest record of a key is, if there is one. The mutex
// is held.
func (s *Session) recordOf(k key) (place, bool) {
	if s == nil {
		return place{}, false
	}
	p, ok := s.records[k]
	return p, ok
}

// put notes where the newest record of a key is. The mutex is held.
func (s *Session) put(k key, p place) {
	s.journal.live += p.size - s.records[k].size
	s.records[k] = p
}

// retryReads wakes who could not read.
func (j *Journal) retryReads() {
	j.mu.Lock()
	stuck := make([]*Session, 0, len(j.stuck))
	for s := range j.stuck {
		stuck = append(stuck, s)
	}
	clear(j.stuck)
	written := j.written
	j.mu.Unlock()
	for _, s := range stuck {
		s.wake(written)
	}
}

// compact shortens a log that is longer than twice what counts, a part at a time.
func (j *Journal) compact() error {
	for j.long() {
		before := j.log.Acked()
		if err := j.giveUpOldest(); err != nil || j.log.Acked() == before {
			return err
		}
	}
	return nil
}

func (j *Journal) long() bool {
	backlog := j.log.Stats().BacklogBytes
	j.mu.Lock()
	defer j.mu.Unlock()
	return backlog > 2*j.live+j.slack
}

// giveUpOldest appends again what counts of the oldest part of the log, and then
// gives that part up.
func (j *Journal) giveUpOldest() error {
	var moved []move
	var first, last durable.Seq // of the copies
	upTo := j.log.Acked()
	r := j.log.NewReader(upTo)
	for done := int64(0); done < j.slack/2; {
		rec, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok || first > 0 && rec.Seq >= first {
			break
		}
		upTo = rec.Seq + 1
		done += int64(len(rec.Data))
		for _, m := range j.counting(rec) {
			seq, err := j.log.Append(m.data)
			if err != nil {
				return err
			}
			m.to = place{seq, int64(len(m.data))}
			moved = append(moved, m)
			first, last = cmp.Or(first, seq), seq
		}
	}
	if last > 0 {
		if err := j.log.Wait(context.Background(), last); err != nil {
			return err
		}
	}
	j.moved(moved)
	j.log.Ack(upTo)
	return nil
}

// move is a record that counts on its way to the end of the log.
type move struct {
	item     *Item
	session  *Session
	key      key
	data     []byte
	from, to place
}

// counting returns what counts of a record, to be appended again.
func (j *Journal) counting(rec durable.Record) []move {
	if len(rec.Data) == 0 {
		return nil
	}
	kind, s := rec.Data[0], &scanner{rest: rec.Data[1:]}
	j.mu.Lock()
	defer j.mu.Unlock()
	if kind == kindMessage {
		return j.countingMessage(rec, s)
	}
	owner, k := j.sessions[s.session()], key{kind: kind}
	switch kind {
	case kindSubscription:
		k.filter, _, _ = parseSubscription(s)
	case kindReceived:
		k.id = s.packetID()
	}
	if owner == nil || owner.records[k].seq != rec.Seq {
		return nil
	}
	return []move{{session: owner, key: k, data: clone(rec.Data), from: owner.records[k]}}
}

func (j *Journal) countingMessage(rec durable.Record, s *scanner) (moves []move) {
	h, ok := parseHead(s)
	if !ok {
		return nil
	}
	k := key{kind: kindReceived, id: h.id}
	if from := j.sessions[h.from]; from != nil && from.records[k].seq == rec.Seq {
		moves = append(moves, move{session: from, key: k, data: appendIdentifier(kindReceived, from.number, h.id), from: from.records[k]})
	}
	it := j.items[h.number]
	if it == nil || it.place.seq != rec.Seq {
		return moves
	}
	left := head{number: h.number}
	for _, c := range h.copies {
		if owner := j.sessions[c.session]; owner != nil && !owner.progress.settled(c.Ordinal) {
			left.copies = append(left.copies, c)
		}
	}
	return append(moves, move{item: it, data: append(left.append(nil), s.rest...), from: it.place})
}

// moved takes note where records are now, those that still count.
func (j *Journal) moved(moves []move) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, m := range moves {
		switch {
		case m.item != nil && j.items[m.item.number] == m.item:
			j.live += m.to.size - m.item.place.size
			m.item.place = m.to
		case m.item == nil && m.session.records[m.key].seq == m.from.seq:
			m.session.put(m.key, m.to)
		}
	}
}
