package monitor

import (
	"encoding/binary"
	"fmt"
	"strings"

	"sluice/drivers/modbus"
)

// String puts the frame into words: unit, function, registers by their address on
// the wire, values in hexadecimal and decimal, the exception by name.
func (f Frame) String() string {
	if f.Kind == Damaged {
		return fmt.Sprintf("damaged: %d bytes that are no frame with a good checksum", len(f.ADU))
	}
	unit, function, data := f.Body[0], modbus.Function(f.Body[1]), f.Body[2:]
	who := fmt.Sprintf("unit %d", unit)
	if unit == byte(modbus.Broadcast) {
		who = "all units"
	}
	what := ""
	switch {
	case f.Kind == Request:
		what = explainRequest(function, data)
	case function&exceptionBit != 0:
		function &^= exceptionBit
		what = fmt.Sprintf("exception %d, %s", data[0], modbus.ExceptionName(data[0]))
	default:
		what = f.explainReply(function, data)
	}
	if f.Kind == Reply && f.Asked == nil {
		what += " (the request was not heard)"
	}
	return fmt.Sprintf("%s, %s: %s", who, functionName(function), what)
}

func functionName(f modbus.Function) string {
	switch f {
	case readExceptionStatus:
		return "read exception status"
	case commEventCounter:
		return "get comm event counter"
	case commEventLog:
		return "get comm event log"
	case reportServerID:
		return "report server ID"
	case readFile:
		return "read file record"
	case writeFile:
		return "write file record"
	case encapsulated:
		return "encapsulated interface transport"
	}
	return f.String()
}

// explainRequest puts the data of a request into words; its length is that of its
// function.
func explainRequest(f modbus.Function, data []byte) string {
	switch f {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs, modbus.ReadHoldingRegisters, modbus.ReadInputRegisters:
		return spanText(word(data, 0), int(word(data, 2)))
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
		return fmt.Sprintf("0x%04x = %s", word(data, 0), value(word(data, 2)))
	case modbus.WriteMultipleCoils:
		return bitsText(int(word(data, 0)), data[5:], int(word(data, 2)))
	case modbus.WriteMultipleRegisters:
		return wordsText(int(word(data, 0)), data[5:])
	case modbus.MaskWriteRegister:
		return fmt.Sprintf("0x%04x, and %04x, or %04x", word(data, 0), word(data, 2), word(data, 4))
	case modbus.ReadWriteMultipleRegisters:
		return fmt.Sprintf("read %s, write %s", spanText(word(data, 0), int(word(data, 2))), wordsText(int(word(data, 4)), data[9:]))
	case modbus.Diagnostics:
		return diagnosticsText(data)
	}
	return bytesText(data)
}

// explainReply puts the data of a reply into words; where it has values, the
// request tells their addresses.
func (f Frame) explainReply(function modbus.Function, data []byte) string {
	address := -1
	if len(f.Asked) >= 6 {
		address = int(word(f.Asked, 2))
	}
	switch function {
	case modbus.ReadCoils, modbus.ReadDiscreteInputs:
		count := 8 * len(data[1:])
		if address >= 0 {
			count = min(count, int(word(f.Asked, 4)))
		}
		return bitsText(address, data[1:], count)
	case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReadWriteMultipleRegisters:
		return wordsText(address, data[1:])
	case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
		return fmt.Sprintf("done, 0x%04x = %s", word(data, 0), value(word(data, 2)))
	case modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters:
		return "done, " + spanText(word(data, 0), int(word(data, 2)))
	case modbus.MaskWriteRegister:
		return "done"
	case modbus.Diagnostics:
		return diagnosticsText(data)
	}
	return bytesText(data)
}

func word(b []byte, i int) uint16 { return binary.BigEndian.Uint16(b[i:]) }

// value is a register as both its number and its bits.
func value(w uint16) string { return fmt.Sprintf("%04x (%d)", w, w) }

func spanText(address uint16, count int) string {
	if count == 1 {
		return fmt.Sprintf("0x%04x", address)
	}
	return fmt.Sprintf("0x%04x, %d of them", address, count)
}

// wordsText lists registers from an address on; -1 when that is not known.
func wordsText(address int, b []byte) string {
	if len(b) < 2 {
		return "nothing"
	}
	var t strings.Builder
	if address >= 0 {
		fmt.Fprintf(&t, "0x%04x = ", address)
	}
	for i := 0; i+1 < len(b); i += 2 {
		if i > 0 {
			t.WriteString(", ")
		}
		t.WriteString(value(word(b, i)))
	}
	return t.String()
}

// bitsText lists bits from an address on; -1 when that is not known.
func bitsText(address int, b []byte, count int) string {
	var t strings.Builder
	if address >= 0 {
		fmt.Fprintf(&t, "0x%04x = ", address)
	}
	for i := range min(count, 8*len(b)) {
		if i > 0 {
			t.WriteByte(' ')
		}
		t.WriteByte('0' + b[i/8]>>(i%8)&1)
	}
	return t.String()
}

func diagnosticsText(data []byte) string {
	if word(data, 0) == 0 {
		return fmt.Sprintf("echo %x", data[2:])
	}
	return fmt.Sprintf("sub-function %d, %x", word(data, 0), data[2:])
}

func bytesText(data []byte) string {
	if len(data) == 0 {
		return "no data"
	}
	return fmt.Sprintf("% x", data)
}
