package modbus

import "fmt"

// UnitID is the address of a unit on a bus: 1 to 247 on a serial line. A device on
// TCP is often 255 or 0, and a gateway there passes the others on to its line.
type UnitID uint8

// Broadcast reaches every unit of a serial line. Nobody answers it, so only writes make
// sense (Modbus over Serial Line V1.02, 2.1).
const Broadcast UnitID = 0

// Function is a function code (Modbus Application Protocol V1.1b3, section 6).
type Function uint8

// The functions that are known. A Transport also sends Diagnostics by itself, to
// find out whether a unit has finished answering older requests.
const (
	ReadCoils                  Function = 1
	ReadDiscreteInputs         Function = 2
	ReadHoldingRegisters       Function = 3
	ReadInputRegisters         Function = 4
	WriteSingleCoil            Function = 5
	WriteSingleRegister        Function = 6
	ReadExceptionStatus        Function = 7
	Diagnostics                Function = 8
	GetEventCounter            Function = 11
	WriteMultipleCoils         Function = 15
	WriteMultipleRegisters     Function = 16
	ReportServerID             Function = 17
	ReadFileRecord             Function = 20
	WriteFileRecord            Function = 21
	MaskWriteRegister          Function = 22
	ReadWriteMultipleRegisters Function = 23
	ReadFIFOQueue              Function = 24
	EncapsulatedInterface      Function = 43
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
	case ReadExceptionStatus:
		return "read exception status"
	case Diagnostics:
		return "diagnostics"
	case GetEventCounter:
		return "get comm event counter"
	case WriteMultipleCoils:
		return "write multiple coils"
	case WriteMultipleRegisters:
		return "write multiple registers"
	case ReportServerID:
		return "report server ID"
	case ReadFileRecord:
		return "read file record"
	case WriteFileRecord:
		return "write file record"
	case MaskWriteRegister:
		return "mask write register"
	case ReadWriteMultipleRegisters:
		return "read/write multiple registers"
	case ReadFIFOQueue:
		return "read FIFO queue"
	case EncapsulatedInterface:
		return "encapsulated interface transport"
	default:
		return fmt.Sprintf("function %d", uint8(f))
	}
}

// writes reports whether the reply says no more than that the request was done.
func (f Function) writes() bool {
	switch f {
	case WriteSingleCoil, WriteSingleRegister, WriteMultipleCoils, WriteMultipleRegisters,
		WriteFileRecord, MaskWriteRegister:
		return true
	}
	return false
}
