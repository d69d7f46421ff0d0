package modbus

import (
	"encoding/binary"
	"fmt"
)

// Shape is what the correct reply to one request looks like: what its data
// begins with and how long it is. Nothing else tells where an RTU frame ends, or
// a reply to this request from one to an older.
type Shape struct {
	function Function
	head     [8]byte // what the request determines of the reply's data
	known    int     // length of head in use
	size     int     // of the data
	measure  func(data []byte) int
	open     bool
}

// ShapeOf returns the shape of the reply to a request, by its function and the
// data that follows (Modbus Application Protocol V1.1b3, section 6).
func ShapeOf(f Function, data []byte) (Shape, error) {
	s := Shape{function: f}
	if err := s.checkLength(data); err != nil {
		return s, err
	}
	switch f {
	case ReadCoils, ReadDiscreteInputs:
		return s.counted((int(binary.BigEndian.Uint16(data[2:])) + 7) / 8)
	case ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters:
		return s.counted(2 * int(binary.BigEndian.Uint16(data[2:])))
	case WriteSingleCoil, WriteSingleRegister, WriteMultipleCoils, WriteMultipleRegisters:
		return s.fixed(data[:4], 4), nil
	case MaskWriteRegister:
		return s.fixed(data[:6], 6), nil
	case ReadExceptionStatus:
		return s.fixed(nil, 1), nil
	case GetEventCounter:
		return s.fixed(nil, 4), nil
	case Diagnostics:
		return s.diagnostics(data), nil
	case WriteFileRecord:
		return s.fixed(data[:min(len(data), len(s.head))], len(data)), nil
	case ReadFileRecord:
		return s.fileRecord(data)
	case ReportServerID:
		s.measure = measureCounted
	case ReadFIFOQueue:
		s.measure = measureQueue
	case EncapsulatedInterface:
		return s.encapsulated(data), nil
	default:
		return s.unknown(), nil
	}
	return s, nil
}

// checkLength reports a request too short to tell what it asks for.
func (s *Shape) checkLength(data []byte) error {
	least := 0
	switch s.function {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters, ReadWriteMultipleRegisters,
		WriteSingleCoil, WriteSingleRegister, WriteMultipleCoils, WriteMultipleRegisters, Diagnostics:
		least = 4
	case MaskWriteRegister:
		least = 6
	case ReadFIFOQueue:
		least = 2
	case WriteFileRecord:
		least = 10
	case EncapsulatedInterface:
		least = 1
	}
	switch {
	case s.function == 0 || s.function >= exceptionBit:
		return fmt.Errorf("%v is no request", s.function)
	case len(data) < least:
		return fmt.Errorf("%v with %d bytes of data", s.function, len(data))
	}
	return nil
}

// counted is the shape of a reply with n bytes behind their count.
func (s Shape) counted(n int) (Shape, error) {
	if n > maxData-1 {
		return s, fmt.Errorf("a reply with %d bytes of data fits no frame", n)
	}
	return s.fixed([]byte{byte(n)}, 1+n), nil
}

// fixed is the shape of a reply of known size.
func (s Shape) fixed(head []byte, size int) Shape {
	s.known, s.size = copy(s.head[:], head), size
	return s
}

// unknown is the shape of a reply of which only the end of its frame says how
// long it is.
func (s Shape) unknown() Shape {
	s.open = true
	s.measure = func(data []byte) int { return len(data) }
	return s
}

// diagnostics is the shape of a reply that repeats the sub-function, and with
// sub-function 0 the data too (section 6.8).
func (s Shape) diagnostics(data []byte) Shape {
	if binary.BigEndian.Uint16(data) == 0 {
		return s.fixed(data[:min(len(data), len(s.head))], len(data))
	}
	return s.fixed(data[:2], 4)
}

// fileRecord reads sub-requests of seven bytes behind their count; each record in
// the reply has a length and a reference type in front (section 6.14).
func (s Shape) fileRecord(data []byte) (Shape, error) {
	if len(data) < 8 || len(data)%7 != 1 || int(data[0]) != len(data)-1 {
		return s, fmt.Errorf("%v takes sub-requests of 7 bytes, not %d bytes", s.function, max(0, len(data)-1))
	}
	n := 0
	for at := 1; at < len(data); at += 7 {
		n += 2 + 2*int(binary.BigEndian.Uint16(data[at+5:]))
	}
	return s.counted(n)
}

// identification is the MEI type of device identification (section 6.21).
const identification = 14

func (s Shape) encapsulated(data []byte) Shape {
	if data[0] != identification || len(data) != 3 {
		return s.unknown()
	}
	s = s.fixed(data[:2], 0)
	s.measure = measureIdentification
	return s
}

// Match looks at the function code and the data so far of what may be the reply.
// size is how long the data is, or at least is as far as data tells; ok is false
// when this is neither the reply nor an exception to the request.
func (s *Shape) Match(f Function, data []byte) (size int, ok bool) {
	switch {
	case f == s.function|exceptionBit:
		return 1, true
	case f != s.function:
		return 0, false
	}
	n := min(len(data), s.known)
	if string(data[:n]) != string(s.head[:n]) {
		return 0, false
	}
	if s.measure == nil {
		return s.size, true
	}
	size = s.measure(data)
	return size, size >= 0
}

// Open reports whether only the end of its frame says how long the reply is.
func (s *Shape) Open() bool { return s.open }

// The measures return the least size of data, or -1 for what it cannot be.

func measureCounted(data []byte) int {
	switch {
	case len(data) == 0:
		return 1
	case data[0] > maxData-1:
		return -1
	default:
		return 1 + int(data[0])
	}
}

// measureQueue reads the length of a FIFO queue, which is in the reply twice: a
// count of bytes, and one of up to 31 registers (section 6.18).
func measureQueue(data []byte) int {
	if len(data) < 4 {
		return 4
	}
	size, count := int(binary.BigEndian.Uint16(data)), int(binary.BigEndian.Uint16(data[2:]))
	if count > 31 || size != 2+2*count {
		return -1
	}
	return 2 + size
}

// measureIdentification walks the objects of a device identification.
func measureIdentification(data []byte) int {
	size := 6
	if len(data) < size {
		return size
	}
	for left := int(data[5]); left > 0; left-- {
		if len(data) < size+2 {
			size += 2 * left
			break
		}
		size += 2 + int(data[size+1])
	}
	if size > maxData {
		return -1
	}
	return size
}
