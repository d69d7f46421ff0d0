package monitor

import (
	"encoding/binary"

	"sluice/drivers/modbus"
)

// Functions that only foreign masters use.
const (
	readExceptionStatus modbus.Function = 7
	commEventCounter    modbus.Function = 11
	commEventLog        modbus.Function = 12
	reportServerID      modbus.Function = 17
	readFile            modbus.Function = 20
	writeFile           modbus.Function = 21
	encapsulated        modbus.Function = 43
	deviceIdentity                      = 14 // kind of encapsulated
)

const exceptionBit = 0x80

// requestSize returns how long the request is that b begins, at least if b does
// not tell yet, or 0 when no request begins so (Modbus Application Protocol
// V1.1b3, section 6).
func requestSize(b []byte) int {
	if len(b) < 2 {
		return 4
	}
	switch modbus.Function(b[1]) {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters,
		modbus.WriteSingleCoil, modbus.WriteSingleRegister, modbus.Diagnostics:
		return 8
	case readExceptionStatus, commEventCounter, commEventLog, reportServerID:
		return 4
	case modbus.ReadFIFOQueue:
		return 6
	case modbus.MaskWriteRegister:
		return 10
	case modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters:
		return counted(b, 6)
	case modbus.ReadWriteMultipleRegisters:
		return counted(b, 10)
	case readFile, writeFile:
		return counted(b, 2)
	case encapsulated:
		if len(b) < 3 || b[2] == deviceIdentity {
			return 7
		}
	}
	return 0
}

// replySize is requestSize for replies.
func replySize(b []byte) int {
	if len(b) < 2 {
		return 4
	}
	switch f := modbus.Function(b[1]); {
	case f&exceptionBit != 0:
		return 5
	case f == readExceptionStatus:
		return 5
	case f == commEventCounter:
		return 8
	case f == commEventLog, f == reportServerID:
		return counted(b, 2)
	case f == modbus.ReadFIFOQueue:
		if len(b) < 4 {
			return 8
		}
		return 6 + int(binary.BigEndian.Uint16(b[2:]))
	case f == encapsulated:
		return identitySize(b)
	case returnsData(f):
		return counted(b, 2)
	case f == modbus.WriteMultipleCoils, f == modbus.WriteMultipleRegisters:
		return 8
	default: // the others repeat what was asked
		return requestSize(b)
	}
}

// returnsData reports whether replies carry a count of bytes and values.
func returnsData(f modbus.Function) bool {
	switch f {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters,
		modbus.ReadWriteMultipleRegisters, readFile, writeFile:
		return true
	}
	return false
}

// counted is the size of a frame whose byte at i counts those between it and the
// checksum.
func counted(b []byte, i int) int {
	if len(b) <= i {
		return i + 3
	}
	return i + 3 + int(b[i])
}

// identitySize walks through the objects of a device identification.
func identitySize(b []byte) int {
	at := 8 // of the first object
	if len(b) < at {
		return at + 2
	}
	if b[2] != deviceIdentity {
		return 0
	}
	for range b[7] {
		if len(b) < at+2 {
			return at + 4
		}
		at += 2 + int(b[at+1])
	}
	return at + 2
}

// replyCount is how many bytes of data the reply to a request counts; known is
// false where the request does not say.
func replyCount(request []byte) (n int, known bool) {
	if len(request) < 8 {
		return 0, false
	}
	count := int(binary.BigEndian.Uint16(request[4:]))
	switch modbus.Function(request[1]) {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		return (count + 7) / 8, true
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReadWriteMultipleRegisters:
		return 2 * count, true
	}
	return 0, false
}

// repeated is how many bytes of a request its reply begins with.
func repeated(request []byte) int {
	switch modbus.Function(request[1]) {
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister, modbus.Diagnostics,
		modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters, modbus.MaskWriteRegister:
		return 6
	}
	return 2
}
