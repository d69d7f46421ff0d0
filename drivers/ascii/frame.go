package ascii

import "sluice/drivers/modbus"

// scanner cuts frames out of what arrives. A colon begins one, wherever it comes.
type scanner struct {
	buf   [modbus.MaxASCII]byte
	n     int
	stray int // bytes that belong to no frame
	cut   int // frames that were begun and not ended
}

// begun reports whether a frame is on its way.
func (s *scanner) begun() bool { return s.n > 0 }

// feed takes the next byte and returns the frame that it ends, if any, valid until
// the next byte.
func (s *scanner) feed(b byte) []byte {
	switch {
	case b == ':':
		s.drop()
	case s.n == 0:
		s.stray++
		return nil
	case s.n == modbus.MaxASCII:
		s.drop()
		s.stray++
		return nil
	}
	s.buf[s.n] = b
	s.n++
	if b != '\n' {
		return nil
	}
	frame := s.buf[:s.n]
	s.n = 0
	return frame
}

func (s *scanner) drop() {
	if s.n > 0 {
		s.cut++
	}
	s.stray += s.n
	s.n = 0
}
