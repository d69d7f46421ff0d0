package session

import "time"

// Deliver queues a message and sends what can be sent. It returns why the message
// was dropped instead, or None. A message of QoS 0 for a client that is away is
// not queued, which is no loss.
func (s *Session) Deliver(m *Message, d Delivery) Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := entry{message: m, Delivery: d}
	if s.closed || s.link == nil && d.QoS == 0 {
		return None
	}
	why := s.admit(e)
	if why != None && s.expire() {
		why = s.admit(e)
	}
	if why != None {
		s.pool.Drop(why)
		return why
	}
	if d.QoS > 0 {
		e.ordinal = s.number()
	}
	s.remember(e)
	if d.Item != nil {
		s.keep(&e)
	}
	s.queue.push(e)
	s.pump(false)
	if s.resident > residentBytes {
		s.unload(s.queue.back())
	}
	return None
}

// admit reports why there is no room for e, or None.
func (s *Session) admit(e entry) Reason {
	switch cost := e.cost(); {
	case s.bytes+s.stored+cost > s.pool.limits.SessionBytes || s.queue.len() >= s.pool.limits.Messages:
		return Full
	case s.queue.len()+len(s.flights) >= maxMessages+maxWindow: // all that was queued may be in flight since a restart
		return Full
	case e.Item != nil:
		return s.pool.share(s.stored+cost, cost)
	case s.bytes+cost > s.pool.limits.own() && s.pool.bytes.Load()+int64(cost) > s.pool.limits.TotalBytes:
		return Memory
	}
	return None
}

// expire drops the messages at the head of the queue whose time has passed, and
// reports whether there were any.
func (s *Session) expire() bool {
	n := s.queue.len()
	for e, ok := s.queue.first(); ok && e.expired(); e, ok = s.queue.first() {
		s.skip(e, Expired)
	}
	return s.queue.len() < n
}

func (e entry) expired() bool {
	if e.Item != nil {
		return e.Item.Expired(time.Now())
	}
	at := e.message.Expires
	return !at.IsZero() && !time.Now().Before(at)
}

// number returns the next ordinal whose packet identifier is not in use. What is
// queued is too little to come round to itself, so that only those in flight,
// which may be much older, are in the way.
func (s *Session) number() uint64 {
	for {
		s.ordinal++
		if s.flights[entry{ordinal: s.ordinal}.identifier()] == nil {
			return s.ordinal
		}
		if s.kept != nil {
			s.kept.Skip(s.ordinal)
		}
	}
}

func (s *Session) remember(e entry) { s.charge(e, e.cost()) }
func (s *Session) forget(e entry)   { s.charge(e, -e.cost()) }

func (s *Session) charge(e entry, cost int) {
	if e.Item != nil {
		s.stored += cost
		s.pool.stored.Add(int64(cost))
		return
	}
	s.bytes += cost
	s.pool.bytes.Add(int64(cost))
}

// Pump sends what can be sent. The owner of the link calls it when there is room
// again.
func (s *Session) Pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pump(true)
}

// pump sends what can be sent. With read it reads contents back, for which it
// gives up the lock.
func (s *Session) pump(read bool) {
	for s.link != nil && !s.held && !s.reading && s.link.Room() {
		s.missing = nil
		if s.again() || s.next() {
			continue
		}
		if s.missing == nil || !read || !s.read() {
			return
		}
	}
}

// again sends the first packet that has to be sent again. It reports whether one
// was there and could be.
func (s *Session) again() bool {
	id, ok := s.resend.first()
	if !ok {
		return false
	}
	f := s.flights[id]
	if f == nil { // settled meanwhile
		s.resend.pop()
		return true
	}
	if s.active >= s.window {
		return false
	}
	sent := s.repeat(f)
	if sent {
		s.resend.pop()
	}
	return sent
}

// repeat reports whether f is done with for now: sent, or given up because the
// client now takes smaller packets only.
func (s *Session) repeat(f *flight) bool {
	if f.released {
		return s.send(appendPubrel(s.packet[:0], f.identifier())) && s.fly(f)
	}
	if f.message == nil {
		s.missing = &f.entry
		return false
	}
	packet := f.entry.append(s.packet[:0], s.terms.Version, true)
	if s.tooLarge(packet) {
		s.settle(f)
		s.pool.Drop(Large)
		return true
	}
	return s.send(packet) && s.fly(f)
}

func (s *Session) fly(f *flight) bool {
	f.active = true
	s.active++
	return true
}

// next sends the first message of the queue, or drops it. It reports whether
// there was one and could be.
func (s *Session) next() bool {
	e, ok := s.queue.first()
	if !ok || s.resend.len() > 0 || e.QoS > 0 && s.active >= s.window {
		return false
	}
	if e.expired() {
		return s.skip(e, Expired)
	}
	if !s.ready(e) {
		return false
	}
	packet := e.append(s.packet[:0], s.terms.Version, false)
	if s.tooLarge(packet) {
		return s.skip(e, Large)
	}
	if !s.send(packet) {
		return false
	}
	s.queue.pop()
	s.pool.sent.Add(1)
	if e.QoS == 0 {
		s.forget(e)
		return true
	}
	s.sent = max(s.sent, e.ordinal)
	if s.queue.len() == 0 {
		s.reader = nil
	}
	f := &flight{entry: e}
	s.flights[e.identifier()] = f
	return s.fly(f)
}

func (s *Session) tooLarge(packet []byte) bool {
	s.packet = packet // which may have grown
	return s.terms.MaximumPacket > 0 && len(packet) > s.terms.MaximumPacket
}

// skip drops the first message of the queue. The client never hears of it
// [MQTT-3.1.2-25].
func (s *Session) skip(e entry, why Reason) bool {
	s.queue.pop()
	s.done(e)
	s.pool.Drop(why)
	return true
}

// send reports whether the link took the packet. One that did not has ended.
func (s *Session) send(packet []byte) bool {
	if s.packet = packet; cap(packet) > packetBytes {
		s.packet = nil
	}
	if err := s.link.Send(packet); err != nil {
		s.detach()
		return false
	}
	return true
}
