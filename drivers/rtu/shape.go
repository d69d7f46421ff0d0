package rtu

import (
	"encoding/binary"
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
	prefix [8]byte // what the request determines of it
	known  int     // length of prefix in use, 2 or more
	size   int     // whole frame; 0: the reply says, as a FIFO queue does
}

// shapeOf reads a request, complete with checksum.
func shapeOf(adu []byte) (shape, error) {
	if len(adu) < minFrame || len(adu) > maxFrame {
		return shape{}, fmt.Errorf("a request of %d bytes is no RTU frame", len(adu))
	}
	s := shape{known: 2}
	copy(s.prefix[:], adu[:2])
	switch f := modbus.Function(adu[1]); {
	case f == modbus.ReadFIFOQueue && len(adu) == 6:
		return s, nil
	case len(adu) < echoFrame:
		return shape{}, fmt.Errorf("%v in a request of %d bytes", f, len(adu))
	case f == modbus.ReadCoils || f == modbus.ReadDiscreteInputs:
		return s.counted((int(binary.BigEndian.Uint16(adu[4:])) + 7) / 8)
	case f == modbus.ReadHoldingRegisters || f == modbus.ReadInputRegisters || f == modbus.ReadWriteMultipleRegisters:
		return s.counted(2 * int(binary.BigEndian.Uint16(adu[4:])))
	case f == modbus.WriteSingleCoil || f == modbus.WriteSingleRegister || f == modbus.Diagnostics ||
		f == modbus.WriteMultipleCoils || f == modbus.WriteMultipleRegisters:
		return s.repeating(adu[:6]), nil
	case f == modbus.MaskWriteRegister && len(adu) == echoFrame+2:
		return s.repeating(adu[:8]), nil
	default:
		return shape{}, fmt.Errorf("the length of a reply to %v is not known", f)
	}
}

// counted is the shape of a reply with n bytes of data behind their count.
func (s shape) counted(n int) (shape, error) {
	if n > maxFrame-5 {
		return shape{}, fmt.Errorf("a reply with %d bytes of data fits no RTU frame", n)
	}
	s.prefix[2], s.known, s.size = byte(n), 3, 5+n
	return s, nil
}

// repeating is the shape of a reply that repeats the head of its request.
func (s shape) repeating(head []byte) shape {
	s.known, s.size = copy(s.prefix[:], head), len(head)+2
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
// length of the frame, or the least it can be while incomplete.
func (s *shape) judge(b []byte) (v verdict, size int) {
	switch {
	case b[0] != s.prefix[0]:
		return foreign, 0
	case len(b) == 1:
		return incomplete, exceptionFrame
	case b[1] == s.prefix[1]|exceptionBit:
		return complete(b, exceptionFrame)
	}
	n := min(len(b), s.known)
	if string(b[:n]) != string(s.prefix[:n]) {
		return foreign, 0
	}
	if s.size > 0 {
		return complete(b, s.size)
	}
	return judgeQueue(b)
}

// judgeQueue looks at the reply to ReadFIFOQueue, which counts its bytes in two
// (Modbus Application Protocol V1.1b3, 6.18): a count and up to 31 registers.
func judgeQueue(b []byte) (verdict, int) {
	if len(b) < 4 {
		return incomplete, exceptionFrame
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < 2 || n > 2+2*31 || n%2 != 0 {
		return foreign, 0
	}
	return complete(b, 4+n+2)
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
