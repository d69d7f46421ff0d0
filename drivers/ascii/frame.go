package ascii

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
)

// maxFrame is the longest frame: a colon, 255 bytes in two digits each, CR LF
// (Modbus over Serial Line V1.02, 2.5.2.1).
const maxFrame = 513

// minFrame has unit, function and checksum.
const minFrame = 9

var (
	errNoFrame  = errors.New("not a frame from ':' to CR LF")
	errChecksum = errors.New("the checksum is wrong")
)

// encode writes body, which begins with the unit, as a frame.
func encode(body []byte) []byte {
	frame := make([]byte, 0, 2*len(body)+5)
	return fmt.Appendf(frame, ":%X%02X\r\n", body, lrc(body))
}

// decode returns unit, function and data of a frame whose checksum is right.
func decode(frame []byte) ([]byte, error) {
	if len(frame) < minFrame || len(frame)%2 == 0 || frame[0] != ':' || !bytes.HasSuffix(frame, []byte("\r\n")) {
		return nil, errNoFrame
	}
	body, err := hex.DecodeString(string(frame[1 : len(frame)-2]))
	if err != nil {
		return nil, errNoFrame
	}
	end := len(body) - 1
	if lrc(body[:end]) != body[end] {
		return nil, errChecksum
	}
	return body[:end], nil
}

// lrc is the checksum: the sum of all bytes, negated (appendix 6.2.1).
func lrc(body []byte) byte {
	var sum byte
	for _, b := range body {
		sum += b
	}
	return -sum
}

// scanner cuts frames out of what arrives. A colon begins one, wherever it comes.
type scanner struct {
	buf   [maxFrame]byte
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
	case s.n == maxFrame:
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
