package session

// Puback settles a message of QoS 1. What is not known is ignored, here and in
// the other acknowledgements: the client may have answered twice.
func (s *Session) Puback(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[id]; f != nil && f.QoS == 1 {
		s.settle(f)
	}
	s.pump(true)
}

// Pubrec takes note that the client has a message of QoS 2, and answers it; or,
// if the client refused it, settles it [MQTT-4.3.3-4]. It reports whether the
// identifier is known; if not, PUBREL is left to the caller.
func (s *Session) Pubrec(id uint16, refused bool) (known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flights[id]
	switch {
	case f == nil || f.QoS != 2:
		return false
	case refused:
		s.settle(f)
	default:
		s.receipt(f)
	}
	s.pump(true)
	return true
}

// release sends PUBREL, or leaves it to be sent in its turn when the message was
// to be sent again.
func (s *Session) release(f *flight) {
	f.released = true
	if f.active && s.link != nil {
		s.send(appendPubrel(s.packet[:0], f.identifier()))
	}
}

// Pubcomp settles a message of QoS 2.
func (s *Session) Pubcomp(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[id]; f != nil && f.released {
		s.settle(f)
	}
	s.pump(true)
}

func (s *Session) settle(f *flight) {
	delete(s.flights, f.identifier())
	s.done(f.entry)
	if f.active {
		s.active--
	}
}
