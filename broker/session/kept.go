package session

import "sluice/broker/journal"

// What a session does differently when the journal keeps it.

// restore takes an entry back that the session had.
func (s *Session) restore(from journal.Entry) {
	e := entry{
		Delivery: Delivery{QoS: from.QoS, Retain: from.Retain, Identifiers: from.Identifiers, Item: from.Item},
		ordinal:  from.Ordinal,
	}
	s.remember(e)
	if from.Released || e.ordinal <= s.sent {
		s.flights[e.identifier()] = &flight{entry: e, released: from.Released}
		return
	}
	s.queue.push(e)
}

// share reports why a session may not come to hold so many bytes in the journal,
// cost of which are new, or None.
func (p *Pool) share(held, cost int) Reason {
	limit := p.limits.StoredBytes
	if p.stored.Load()+int64(cost) > limit && int64(held) > limit/max(p.keepers.Load(), 1) {
		return Memory
	}
	return None
}

// keep gives e its place in the journal. Its content stays in memory too if a
// client is connected.
func (s *Session) keep(e *entry) {
	s.kept.Add(e.Item, journal.Copy{Ordinal: e.ordinal, QoS: e.QoS, Retain: e.Retain, Identifiers: e.Identifiers})
	if s.link == nil {
		e.message = nil
		return
	}
	s.resident += e.Item.Size()
}

// unload leaves the content of e to the journal.
func (s *Session) unload(e *entry) {
	if e != nil && e.Item != nil && e.message != nil {
		s.resident -= e.Item.Size()
		e.message = nil
	}
}

// done forgets an entry that is settled.
func (s *Session) done(e entry) {
	s.forget(e)
	s.unload(&e)
	if e.Item != nil {
		s.kept.Settle(e.Item, e.ordinal)
	}
}

// ready reports whether the first entry of the queue may be sent: its content is
// here and, at QoS 2, its ordinal on the medium.
func (s *Session) ready(e entry) bool {
	switch {
	case e.Item == nil:
		return true
	case e.QoS == 2 && !e.Item.Durable():
		return false
	case e.message == nil:
		s.missing = s.queue.front()
		return false
	}
	return true
}

// read reads the content of what is missing, without the lock. It reports whether
// it is worth going on.
func (s *Session) read() bool {
	item, ordinal := s.missing.Item, s.missing.ordinal
	if s.reader == nil {
		s.reader = s.kept.NewReader()
	}
	r := s.reader
	s.reading = true
	s.mu.Unlock()
	m, err := r.Load(item)
	s.mu.Lock()
	s.reading = false
	if err != nil {
		s.reader = nil
		if !s.closed {
			s.kept.Retry()
		}
		return false
	}
	s.arrived(ordinal, m)
	return true
}

// arrived puts the content of a message where it is wanted, if it still is.
func (s *Session) arrived(ordinal uint64, m *Message) {
	e := s.queue.front()
	f := s.flights[entry{ordinal: ordinal}.identifier()]
	switch {
	case e != nil && e.ordinal == ordinal && e.QoS > 0:
		if m == nil {
			s.skip(*e, Lost)
			return
		}
		s.load(e, m)
	case f != nil && f.ordinal == ordinal:
		if m == nil {
			s.settle(f)
			s.pool.Drop(Lost)
			return
		}
		s.load(&f.entry, m)
	}
}

func (s *Session) load(e *entry, m *Message) {
	if e.message == nil && s.link != nil {
		e.message = m
		s.resident += e.Item.Size()
	}
}

// receipt takes note that the client has a message of QoS 2: at once, or when that
// is on the medium.
func (s *Session) receipt(f *flight) {
	switch {
	case f.Item == nil || f.released:
		s.release(f)
	case f.batch == 0:
		f.batch = s.kept.Release(f.ordinal)
		s.received.push(f.identifier())
	}
}

// written goes on with what waited for a batch of the journal.
func (s *Session) written(batch uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, ok := s.received.first(); ok; id, ok = s.received.first() {
		f := s.flights[id]
		if f != nil && f.batch > batch {
			break
		}
		s.received.pop()
		if f != nil && f.batch > 0 && !f.released {
			s.release(f)
		}
	}
	s.pump(true)
}
