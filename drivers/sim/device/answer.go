package device

import (
	"encoding/binary"
	"errors"
	"time"

	"sluice/drivers/modbus"
)

// Functions that the gateway's client does not use but masters in the field do.
const (
	reportServerID      modbus.Function = 17
	encapsulated        modbus.Function = 43
	exceptionFlag       byte            = 0x80
	returnQueryData                     = 0 // sub-function of Diagnostics
	deviceIdentity      byte            = 14
	maxBits                             = 2000
	maxBitsWritten                      = 1968
	maxRegisters                        = 125
	maxRegistersWritten                 = 123
	maxRegistersSwapped                 = 121 // written by function 23
)

// Answer returns the reply of d to a request, both from the function code on
// and without checksum. The reply is at most 253 bytes and has an array of its
// own. A request that cannot be carried out is answered with an exception; only
// an empty one gets no reply.
func Answer(d Device, at time.Time, request []byte) []byte {
	if len(request) == 0 {
		return nil
	}
	reply, err := call{d, at, request}.reply()
	if err == nil {
		return reply
	}
	code, ok := errors.AsType[Exception](err)
	if !ok {
		code = DeviceFailure
	}
	return Refusal(request[0], code)
}

// Refusal is the reply that carries an exception.
func Refusal(function byte, e Exception) []byte {
	return []byte{function | exceptionFlag, byte(e)}
}

// call is one request on its way through a device.
type call struct {
	device  Device
	at      time.Time
	request []byte
}

func (c call) reply() ([]byte, error) {
	switch modbus.Function(c.request[0]) {
	case modbus.ReadCoils:
		return c.readBits(Coil)
	case modbus.ReadDiscreteInputs:
		return c.readBits(Discrete)
	case modbus.ReadHoldingRegisters:
		return c.readRegisters(Holding)
	case modbus.ReadInputRegisters:
		return c.readRegisters(Input)
	case modbus.WriteSingleCoil:
		return c.writeCoil()
	case modbus.WriteSingleRegister:
		return c.writeRegister()
	case modbus.WriteMultipleCoils:
		return c.writeCoils()
	case modbus.WriteMultipleRegisters:
		return c.writeRegisters()
	case modbus.MaskWriteRegister:
		return c.maskRegister()
	case modbus.ReadWriteMultipleRegisters:
		return c.swapRegisters()
	case modbus.Diagnostics:
		return c.diagnose()
	case reportServerID:
		return c.reportID()
	case encapsulated:
		return c.identify()
	}
	return nil, IllegalFunction
}

// word is the 16-bit field at an offset that the caller has checked.
func (c call) word(offset int) uint16 { return binary.BigEndian.Uint16(c.request[offset:]) }

// read asks the device for n neighbours.
func (c call) read(t Table, address, n uint16) ([]uint16, error) {
	if int(address)+int(n) > 1<<16 {
		return nil, IllegalAddress
	}
	words := make([]uint16, n)
	return words, c.device.Read(c.at, t, address, words)
}

// write hands words to the device.
func (c call) write(t Table, address uint16, words ...uint16) error {
	if int(address)+len(words) > 1<<16 {
		return IllegalAddress
	}
	return c.device.Write(c.at, t, address, words)
}

// counted is an error unless the request carries n items, 1 to limit, in
// exactly the bytes that follow its count byte at that offset.
func (c call) counted(n uint16, limit, offset, bytes int) error {
	if n == 0 || int(n) > limit || int(c.request[offset]) != bytes || len(c.request) != offset+1+bytes {
		return IllegalValue
	}
	return nil
}
