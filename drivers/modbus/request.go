package modbus

import (
	"encoding/binary"
	"fmt"
)

// Request is what one exchange asks of a unit.
type Request struct {
	Unit     UnitID
	Function Function
	Address  uint16 // first register or coil, 0-based as on the wire
	// Count is the number of registers or coils that are read, or that a multiple
	// write carries. The functions that touch a single one ignore it.
	Count uint16
	// Data is what a write carries, as on the wire: two bytes for a single write,
	// the AND and the OR mask for a mask write, two bytes per register or one bit
	// per coil for a multiple write. For ReadWriteMultipleRegisters it is the
	// address to write to, two bytes, and then the registers. For ReadFileRecord
	// and WriteFileRecord it is the sub-requests; the former returns the
	// sub-responses. For Diagnostics it is two bytes, Address is the sub-function,
	// and two bytes come back. For functions that are not known here it is all that
	// follows the function code, and so is what they return, and for
	// EncapsulatedInterface both begin with the MEI type.
	Data []byte
}

// span is what one function may ask for.
type span struct {
	count int // the most registers or coils
	bits  int // of data per register or coil written; 0: nothing is written
}

// check reports why the request cannot be put on the wire (the limits of Modbus
// Application Protocol V1.1b3, section 6).
func (r Request) check(broadcast bool) error {
	if broadcast && !r.Function.writes() {
		return fmt.Errorf("%v cannot be broadcast: nobody answers", r.Function)
	}
	switch r.Function {
	case ReadCoils, ReadDiscreteInputs:
		return r.checkSpan(span{count: 2000})
	case ReadHoldingRegisters, ReadInputRegisters:
		return r.checkSpan(span{count: 125})
	case WriteSingleCoil:
		return r.checkCoil()
	case WriteSingleRegister:
		return r.checkData(2)
	case WriteMultipleCoils:
		return r.checkSpan(span{count: 1968, bits: 1})
	case WriteMultipleRegisters:
		return r.checkSpan(span{count: 123, bits: 16})
	case MaskWriteRegister:
		return r.checkData(4)
	case ReadWriteMultipleRegisters:
		return r.checkReadWrite()
	case ReadFIFOQueue, ReadExceptionStatus, GetEventCounter, ReportServerID:
		return r.checkData(0)
	case Diagnostics:
		return r.checkData(2)
	default:
		return r.checkPDU()
	}
}

// maxData is the most that fits behind a function code (section 4.1).
const maxData = 252

// checkPDU is for requests that are sent as they are.
func (r Request) checkPDU() error {
	if r.Function == 0 || r.Function >= exceptionBit {
		return fmt.Errorf("%v does not exist: they go from 1 to 127", r.Function)
	}
	data := r.pduData()
	if len(data) > maxData {
		return fmt.Errorf("%v with %d bytes fits no frame, which holds %d", r.Function, len(data), maxData)
	}
	_, err := ShapeOf(r.Function, data)
	return err
}

func (r Request) checkSpan(s span) error {
	if n := int(r.Count); n < 1 || n > s.count {
		return fmt.Errorf("%v takes 1 to %d, not %d", r.Function, s.count, n)
	}
	if end := int(r.Address) + int(r.Count); end > 1<<16 {
		return fmt.Errorf("%v of %d at %d runs past address 65535", r.Function, r.Count, r.Address)
	}
	return r.checkData((int(r.Count)*s.bits + 7) / 8)
}

func (r Request) checkData(want int) error {
	if len(r.Data) != want {
		return fmt.Errorf("%v of %d carries %d bytes, not %d", r.Function, r.Count, want, len(r.Data))
	}
	return nil
}

func (r Request) checkCoil() error {
	if err := r.checkData(2); err != nil {
		return err
	}
	if v := binary.BigEndian.Uint16(r.Data); v != 0xFF00 && v != 0 {
		return fmt.Errorf("a single coil takes ff00 or 0000, not %04x", v)
	}
	return nil
}

func (r Request) checkReadWrite() error {
	if n := len(r.Data); n < 4 || n > 2+2*121 || n%2 != 0 {
		return fmt.Errorf("%v carries an address and 1 to 121 registers, not %d bytes", r.Function, n)
	}
	if end := int(binary.BigEndian.Uint16(r.Data)) + len(r.Data)/2 - 1; end > 1<<16 {
		return fmt.Errorf("%v writes past address 65535", r.Function)
	}
	read := Request{Function: r.Function, Address: r.Address, Count: r.Count}
	return read.checkSpan(span{count: 125})
}

// pduData is what follows the function code of a request that goburrow's client
// has no method for.
func (r Request) pduData() []byte {
	switch r.Function {
	case Diagnostics:
		return append(binary.BigEndian.AppendUint16(nil, r.Address), r.Data...)
	case ReadFileRecord, WriteFileRecord:
		return append([]byte{byte(len(r.Data))}, r.Data...)
	default:
		return r.Data
	}
}
