package journal

import (
	"cmp"
	"slices"

	"sluice/gateway/durable"
)

// replay is the log as it is read when the journal is opened.
type replay struct {
	*Journal
	subscriptions map[uint64]map[string]Subscription
	heads         map[uint64]*replayed // by number of the message
}

type replayed struct {
	item *Item
	head head
}

func (j *Journal) replay() error {
	r := &replay{j, map[uint64]map[string]Subscription{}, map[uint64]*replayed{}}
	records := j.log.NewReader(j.log.Acked())
	for {
		rec, ok, err := records.Next()
		if err != nil {
			return err
		}
		if !ok {
			r.settle()
			return nil
		}
		r.apply(rec)
	}
}

// apply takes a record into account. One that cannot be read was written by nobody:
// the log has checked it.
func (r *replay) apply(rec durable.Record) {
	if len(rec.Data) == 0 {
		return
	}
	at, s := place{rec.Seq, int64(len(rec.Data))}, &scanner{rest: rec.Data[1:]}
	if rec.Data[0] == kindMessage {
		r.message(s, at)
		return
	}
	number := s.session()
	if s.bad {
		return
	}
	r.lastSession = max(r.lastSession, number)
	switch rec.Data[0] {
	case kindSession:
		if st, err := parseState(s); err == nil {
			n := r.session(number)
			n.state = st
			n.put(key{kind: kindSession}, at)
		}
	case kindEnd:
		r.end(number)
	case kindSubscription:
		if filter, sub, err := parseSubscription(s); err == nil {
			r.subscribe(number, filter, sub, at)
		}
	case kindUnsubscription:
		r.unsubscribe(number, string(s.bytes()))
	case kindReceived:
		if id := s.packetID(); !s.bad {
			r.session(number).put(key{kind: kindReceived, id: id}, place{at.seq, 16})
		}
	case kindFreed:
		r.session(number).drop(key{kind: kindReceived, id: s.packetID()})
	case kindProgress:
		if p, err := parseProgress(s); err == nil {
			n := r.session(number)
			n.progress = p
			n.put(key{kind: kindProgress}, at)
		}
	}
}

// session returns a session, of which other records may come before its own.
func (r *replay) session(number uint64) *Session {
	if s := r.sessions[number]; s != nil {
		return s
	}
	return r.newSession(number)
}

func (r *replay) end(number uint64) {
	s := r.sessions[number]
	if s == nil {
		return
	}
	for k := range s.records {
		s.drop(k)
	}
	s.ended = true
	delete(r.sessions, number)
	delete(r.subscriptions, number)
}

func (r *replay) subscribe(number uint64, filter string, sub Subscription, at place) {
	s := r.session(number)
	if r.subscriptions[number] == nil {
		r.subscriptions[number] = map[string]Subscription{}
	}
	r.unsubscribe(number, filter)
	s.put(key{kind: kindSubscription, filter: filter}, at)
	s.filters.add(filter)
	r.subscriptions[number][filter] = sub
}

func (r *replay) unsubscribe(number uint64, filter string) {
	if _, ok := r.subscriptions[number][filter]; ok {
		s := r.session(number)
		s.filters.remove(filter)
		s.drop(key{kind: kindSubscription, filter: filter})
		delete(r.subscriptions[number], filter)
	}
}

// drop forgets the record of a key.
func (s *Session) drop(k key) {
	s.journal.live -= s.records[k].size
	delete(s.records, k)
}

func (r *replay) message(s *scanner, at place) {
	h, ok := parseHead(s)
	if !ok {
		return
	}
	size, expires, err := weigh(s)
	if err != nil {
		return
	}
	r.lastItem, r.lastSession = max(r.lastItem, h.number), max(r.lastSession, h.from)
	for _, c := range h.copies {
		r.lastSession = max(r.lastSession, c.session) // of which there may be nothing else
	}
	it := &Item{journal: r.Journal, number: h.number, content: int32(size), recorded: true, place: at}
	if !expires.IsZero() {
		it.expires = expires.UnixMilli()
	}
	r.heads[h.number] = &replayed{it, h}
	if h.from > 0 {
		r.session(h.from).put(key{kind: kindReceived, id: h.id}, place{at.seq, 16})
	}
}

// settle finds out what counts of all that was read.
func (r *replay) settle() {
	for number, s := range r.sessions {
		if _, known := s.records[key{kind: kindSession}]; !known { // it began and was never acknowledged, or is damaged
			r.end(number)
			continue
		}
		s.restored = &Restored{Subscriptions: r.subscriptions[number]}
		for k := range s.records {
			if k.kind == kindReceived {
				s.restored.Received = append(s.restored.Received, k.id)
			}
		}
		r.restored = append(r.restored, s)
	}
	for _, m := range r.heads {
		r.copies(m)
	}
	for _, s := range r.restored {
		s.restore()
	}
}

// copies gives the sessions what is theirs of a message.
func (r *replay) copies(m *replayed) {
	for _, c := range m.head.copies {
		s := r.sessions[c.session]
		if s == nil || s.progress.settled(c.Ordinal) {
			continue
		}
		_, released := slices.BinarySearch(s.progress.released, c.Ordinal)
		s.restored.Entries = append(s.restored.Entries, Entry{Copy: c.Copy, Item: m.item, Released: released})
		m.item.copies++
	}
	if m.item.copies > 0 {
		r.items[m.item.number] = m.item
		r.live += m.item.place.size
	}
}

// restore makes progress agree with the messages that are there.
func (s *Session) restore() {
	res := s.restored
	slices.SortFunc(res.Entries, func(a, b Entry) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	open := make([]uint64, len(res.Entries))
	for i, e := range res.Entries {
		open[i] = e.Ordinal
	}
	s.progress.close(open)
	res.Last, res.Sent = s.progress.last, s.progress.sent
	if s.state.Since.IsZero() { // nobody knows what was sent last
		res.Sent = res.Last
	}
}
