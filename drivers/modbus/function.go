package modbus

import "fmt"

// UnitID is the address of a unit on a bus: 1 to 247 on a serial line.
type UnitID uint8

// Broadcast reaches every unit of a bus. Nobody answers it, so only writes make
// sense (Modbus over Serial Line V1.02, 2.1).
const Broadcast UnitID = 0

// Function is a function code (Modbus Application Protocol V1.1b3, section 6).
type Function uint8

// The functions a Request may carry, and Diagnostics, which a Transport sends by
// itself to find out whether a unit has finished answering older requests.
const (
	ReadCoils                  Function = 1
	ReadDiscreteInputs         Function = 2
	ReadHoldingRegisters       Function = 3
	ReadInputRegisters         Function = 4
	WriteSingleCoil            Function = 5
	WriteSingleRegister        Function = 6
	Diagnostics                Function = 8
	WriteMultipleCoils         Function = 15
	WriteMultipleRegisters     Function = 16
	MaskWriteRegister          Function = 22
	ReadWriteMultipleRegisters Function = 23
	ReadFIFOQueue              Function = 24
)

// exceptionBit is set in the function code of a reply that carries an exception.
const exceptionBit Function = 0x80

// String returns the name as the specification has it, in lower case.
func (f Function) String() string {
	switch f {
	case ReadCoils:
		return "read coils"
	case ReadDiscreteInputs:
		return "read discrete inputs"
	case ReadHoldingRegisters:
		return "read holding registers"
	case ReadInputRegisters:
		return "read input registers"
	case WriteSingleCoil:
		return "write single coil"
	case WriteSingleRegister:
		return "write single register"
	case Diagnostics:
		return "diagnostics"
	case WriteMultipleCoils:
		return "write multiple coils"
	case WriteMultipleRegisters:
		return "write multiple registers"
	case MaskWriteRegister:
		return "mask write register"
	case ReadWriteMultipleRegisters:
		return "read/write multiple registers"
	case ReadFIFOQueue:
		return "read FIFO queue"
	default:
		return fmt.Sprintf("function %d", uint8(f))
	}
}

// returnsData reports whether the reply carries register or coil values.
func (f Function) returnsData() bool {
	switch f {
	case ReadCoils, ReadDiscreteInputs, ReadHoldingRegisters, ReadInputRegisters,
		ReadWriteMultipleRegisters, ReadFIFOQueue:
		return true
	}
	return false
}
