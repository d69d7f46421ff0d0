package rtu

import (
	"fmt"

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

// short is a reply that is waited for as a whole once it has begun. Of a longer one
// its head is looked at first: an exception is over after five bytes.
const short = 32

// shapeOf reads a request, complete with checksum.
func shapeOf(adu []byte) (shape, error) {
	if len(adu) < minFrame || len(adu) > maxFrame {
		return shape{}, fmt.Errorf("a request of %d bytes is no RTU frame", len(adu))
	}
	f := modbus.Function(adu[1])
	s, err := modbus.ShapeOf(f, adu[2:len(adu)-2])
	if err != nil {
		return shape{}, err
	}
	first := minFrame
	if size, ok := s.Match(f, nil); ok && minFrame+size <= short {
		first += size
	}
	return shape{adu[0], first, s}, nil
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
