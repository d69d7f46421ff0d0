package rtu

import (
	"fmt"
	"time"

	"sluice/drivers/modbus"
)

// The sizes of whole frames, in bytes.
const (
	minFrame       = 4 // unit, function, checksum
	maxFrame       = 256
	exceptionFrame = 5
	echoFrame      = 8 // replies that repeat address and value or quantity
)

// exceptionBit marks the function code of a reply that carries an exception.
const exceptionBit = 0x80

// shape is what a correct reply to one request looks like.
type shape struct {
	unit  byte
	first int // bytes to wait for once there is one
	modbus.Shape
}

// short is how much later than an exception a reply may end that is waited for as
// a whole once it has begun: one wake-up less. Of a longer one the head is looked
// at first.
const short = 25 * time.Millisecond

// shapeOf reads a request, complete with checksum.
func shapeOf(adu []byte) (shape, error) {
	if len(adu) < minFrame || len(adu) > maxFrame {
		return shape{}, fmt.Errorf("a request of %d bytes is no RTU frame", len(adu))
	}
	s, err := modbus.ShapeOf(modbus.Function(adu[1]), adu[2:len(adu)-2])
	return shape{adu[0], minFrame, s}, err
}

// on is the shape of the reply on a line of that speed.
func (s shape) on(l modbus.Line, f modbus.Function) shape {
	if size, ok := s.Match(f, nil); ok && l.Chars(minFrame+size-exceptionFrame) <= short {
		s.first = minFrame + size
	}
	return s
}

// verdict is what can be said about bytes that may start a reply.
type verdict uint8

const (
	foreign    verdict = iota // not the start of the reply
	incomplete                // so far as expected
	damaged                   // all there, but the checksum is wrong
	accepted
)

// judge looks at b, one byte or more, as the start of a reply. size is the
// length of the frame, or the least it can be while incomplete. A reply without a
// length of its own is complete when the line has stopped.
func (s *shape) judge(b []byte, stopped bool) (v verdict, size int) {
	switch {
	case b[0] != s.unit:
		return foreign, 0
	case len(b) == 1:
		return incomplete, s.first
	}
	f := modbus.Function(b[1])
	size, ok := s.Match(f, b[2:])
	switch {
	case !ok:
		return foreign, 0
	case !s.Open() || f&exceptionBit != 0:
		return complete(b, minFrame+size)
	case len(b) > maxFrame:
		return foreign, 0
	case stopped && len(b) >= minFrame:
		return complete(b, len(b))
	default:
		return incomplete, max(len(b)+1, minFrame)
	}
}

func complete(b []byte, size int) (verdict, int) {
	switch {
	case len(b) < size:
		return incomplete, size
	case modbus.ValidCRC(b[:size]):
		return accepted, size
	default:
		return damaged, size
	}
}

// foreignFrame returns the length of the whole frame at the start of b that is
// some other exchange's request or reply, or 0. Stepping over it at once keeps
// its data from being searched for a reply.
func foreignFrame(b []byte) int {
	if len(b) < exceptionFrame {
		return 0
	}
	sizes := [2]int{echoFrame, 5 + int(b[2])}
	switch f := modbus.Function(b[1]); {
	case f&exceptionBit != 0:
		sizes = [2]int{exceptionFrame}
	case f == modbus.MaskWriteRegister:
		sizes = [2]int{echoFrame + 2}
	}
	for _, n := range sizes {
		if n > 0 && n <= len(b) && modbus.ValidCRC(b[:n]) {
			return n
		}
	}
	return 0
}
