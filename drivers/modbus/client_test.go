package modbus_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
)

// transport answers with what a test wants and keeps what was sent.
type transport struct {
	framing modbus.Framing
	reply   []byte // without checksum
	err     error
	sent    []byte
	timing  modbus.Timing
}

func (t *transport) Framing() modbus.Framing { return t.framing }

func (t *transport) Exchange(adu []byte, timing modbus.Timing) ([]byte, error) {
	t.sent, t.timing = adu, timing
	if t.err != nil || t.reply == nil {
		return nil, t.err
	}
	if t.framing != modbus.RTU {
		return t.reply, nil
	}
	return modbus.AppendCRC(t.reply), nil
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The frames are the examples of Modbus Application Protocol V1.1b3, section 6.
func TestFunctions(t *testing.T) {
	tests := []struct {
		req              modbus.Request
		sent, reply, got string
	}{
		{modbus.Request{Function: modbus.ReadCoils, Address: 0x13, Count: 0x13}, "11 01 0013 0013", "11 01 03 cd6b05", "cd6b05"},
		{modbus.Request{Function: modbus.ReadDiscreteInputs, Address: 0xC4, Count: 0x16}, "11 02 00c4 0016", "11 02 03 acdb35", "acdb35"},
		{modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 0x6B, Count: 3}, "11 03 006b 0003", "11 03 06 022b00000064", "022b00000064"},
		{modbus.Request{Function: modbus.ReadInputRegisters, Address: 8, Count: 1}, "11 04 0008 0001", "11 04 02 000a", "000a"},
		{modbus.Request{Function: modbus.WriteSingleCoil, Address: 0xAC, Data: []byte{0xFF, 0}}, "11 05 00ac ff00", "11 05 00ac ff00", ""},
		{modbus.Request{Function: modbus.WriteSingleRegister, Address: 1, Data: []byte{0, 3}}, "11 06 0001 0003", "11 06 0001 0003", ""},
		{modbus.Request{Function: modbus.WriteMultipleCoils, Address: 0x13, Count: 10, Data: []byte{0xCD, 1}}, "11 0f 0013 000a 02 cd01", "11 0f 0013 000a", ""},
		{modbus.Request{Function: modbus.WriteMultipleRegisters, Address: 1, Count: 2, Data: []byte{0, 10, 1, 2}}, "11 10 0001 0002 04 000a0102", "11 10 0001 0002", ""},
		{modbus.Request{Function: modbus.MaskWriteRegister, Address: 4, Data: []byte{0, 0xF2, 0, 0x25}}, "11 16 0004 00f2 0025", "11 16 0004 00f2 0025", ""},
		{modbus.Request{Function: modbus.ReadWriteMultipleRegisters, Address: 3, Count: 6, Data: []byte{0, 14, 0, 255, 0, 255, 0, 255}},
			"11 17 0003 0006 000e 0003 06 00ff00ff00ff", "11 17 0c 00fe0acd00010003000d00ff", "00fe0acd00010003000d00ff"},
		{modbus.Request{Function: modbus.ReadFIFOQueue, Address: 0x04DE}, "11 18 04de", "11 18 0006 0002 01b81284", "01b81284"},
		{modbus.Request{Function: modbus.ReadExceptionStatus}, "11 07", "11 07 6d", "6d"},
		{modbus.Request{Function: modbus.Diagnostics, Data: []byte{0xA5, 0x37}}, "11 08 0000 a537", "11 08 0000 a537", "a537"},
		{modbus.Request{Function: modbus.Diagnostics, Address: 11, Data: []byte{0, 0}}, "11 08 000b 0000", "11 08 000b 0102", "0102"},
		{modbus.Request{Function: modbus.GetEventCounter}, "11 0b", "11 0b ffff 0108", "ffff0108"},
		{modbus.Request{Function: modbus.ReportServerID}, "11 11", "11 11 04 4d31 32ff", "4d3132ff"},
		{modbus.Request{Function: modbus.ReadFileRecord, Data: []byte{6, 0, 4, 0, 1, 0, 2, 6, 0, 3, 0, 9, 0, 2}},
			"11 14 0e 06 0004 0001 0002 06 0003 0009 0002", "11 14 0c 0506 0dfe0020 0506 33cd0040", "0506 0dfe0020 0506 33cd0040"},
		{modbus.Request{Function: modbus.WriteFileRecord, Data: []byte{6, 0, 4, 0, 7, 0, 3, 6, 0xAF, 4, 0xBE, 0x10, 0x0D}},
			"11 15 0d 06 0004 0007 0003 06af04be100d", "11 15 0d 06 0004 0007 0003 06af04be100d", ""},
		{modbus.Request{Function: modbus.EncapsulatedInterface, Data: []byte{14, 1, 0}}, "11 2b 0e 01 00",
			"11 2b 0e 01 01 00 00 02 00 02 4142 01 01 43", "0e 01 01 00 00 02 00 02 4142 01 01 43"},
		{modbus.Request{Function: 65, Data: []byte{1, 2}}, "11 41 0102", "11 41 030405", "030405"},
	}
	for _, tt := range tests {
		t.Run(tt.req.Function.String(), func(t *testing.T) {
			tr := &transport{reply: unhex(t, tt.reply)}
			timing := modbus.Timing{Timeout: time.Second, Gap: 2, MinDelay: 3}
			tt.req.Unit = 0x11
			got, err := modbus.NewClient(tr).Do(tt.req, timing)
			if err != nil || !bytes.Equal(got, unhex(t, tt.got)) {
				t.Errorf("got % x, %v, want %s", got, err, tt.got)
			}
			if want := modbus.AppendCRC(unhex(t, tt.sent)); !bytes.Equal(tr.sent, want) {
				t.Errorf("sent % x, want % x", tr.sent, want)
			}
			if tr.timing != timing {
				t.Errorf("timing %+v, want %+v", tr.timing, timing)
			}
		})
	}
}

func TestBroadcast(t *testing.T) {
	writes := []modbus.Request{
		{Function: modbus.WriteSingleCoil, Data: []byte{0xFF, 0}},
		{Function: modbus.WriteSingleRegister, Data: []byte{1, 2}},
		{Function: modbus.WriteMultipleCoils, Count: 3, Data: []byte{5}},
		{Function: modbus.WriteMultipleRegisters, Count: 1, Data: []byte{1, 2}},
		{Function: modbus.MaskWriteRegister, Data: []byte{1, 2, 3, 4}},
	}
	for _, req := range writes {
		tr := &transport{}
		if _, err := modbus.NewClient(tr).Do(req, modbus.Timing{}); err != nil || tr.sent[0] != 0 || !modbus.ValidCRC(tr.sent) {
			t.Errorf("%v: sent % x, %v", req.Function, tr.sent, err)
		}
	}
}

func TestRefusedBeforeTheWire(t *testing.T) {
	tests := []struct {
		req  modbus.Request
		want string
	}{
		{modbus.Request{Unit: 1}, "function 0 does not exist"},
		{modbus.Request{Unit: 1, Function: 0x83}, "function 131 does not exist"},
		{modbus.Request{Unit: 1, Function: modbus.Diagnostics}, "carries 2 bytes, not 0"},
		{modbus.Request{Function: modbus.Diagnostics, Data: []byte{1, 2}}, "cannot be broadcast"},
		{modbus.Request{Unit: 1, Function: modbus.ReportServerID, Data: []byte{1}}, "carries 0 bytes, not 1"},
		{modbus.Request{Unit: 1, Function: modbus.ReadFileRecord, Data: []byte{6, 0, 4, 0, 1, 0}}, "sub-requests of 7 bytes, not 6"},
		{modbus.Request{Unit: 1, Function: modbus.ReadFileRecord, Data: []byte{6, 0, 4, 0, 1, 0, 125}}, "fits no frame"},
		{modbus.Request{Unit: 1, Function: modbus.WriteFileRecord}, "with 1 bytes of data"},
		{modbus.Request{Unit: 1, Function: modbus.EncapsulatedInterface}, "with 0 bytes of data"},
		{modbus.Request{Unit: 1, Function: 65, Data: make([]byte, 253)}, "fits no frame, which holds 252"},
		{modbus.Request{Function: modbus.ReadCoils, Count: 1}, "cannot be broadcast"},
		{modbus.Request{Function: modbus.ReadWriteMultipleRegisters, Count: 1, Data: make([]byte, 4)}, "cannot be broadcast"},
		{modbus.Request{Unit: 1, Function: modbus.ReadCoils}, "takes 1 to 2000, not 0"},
		{modbus.Request{Unit: 1, Function: modbus.ReadDiscreteInputs, Count: 2001}, "takes 1 to 2000, not 2001"},
		{modbus.Request{Unit: 1, Function: modbus.ReadHoldingRegisters, Count: 126}, "takes 1 to 125"},
		{modbus.Request{Unit: 1, Function: modbus.ReadInputRegisters, Address: 65535, Count: 2}, "past address 65535"},
		{modbus.Request{Unit: 1, Function: modbus.ReadInputRegisters, Count: 2, Data: []byte{0}}, "carries 0 bytes, not 1"},
		{modbus.Request{Unit: 1, Function: modbus.WriteSingleCoil, Data: []byte{0, 1}}, "takes ff00 or 0000, not 0001"},
		{modbus.Request{Unit: 1, Function: modbus.WriteSingleCoil}, "carries 2 bytes, not 0"},
		{modbus.Request{Unit: 1, Function: modbus.WriteSingleRegister, Data: []byte{1}}, "carries 2 bytes, not 1"},
		{modbus.Request{Unit: 1, Function: modbus.WriteMultipleCoils, Count: 9, Data: []byte{1}}, "carries 2 bytes, not 1"},
		{modbus.Request{Unit: 1, Function: modbus.WriteMultipleCoils, Count: 1969, Data: make([]byte, 247)}, "takes 1 to 1968"},
		{modbus.Request{Unit: 1, Function: modbus.WriteMultipleRegisters, Count: 124, Data: make([]byte, 248)}, "takes 1 to 123"},
		{modbus.Request{Unit: 1, Function: modbus.MaskWriteRegister, Data: []byte{1, 2}}, "carries 4 bytes, not 2"},
		{modbus.Request{Unit: 1, Function: modbus.ReadWriteMultipleRegisters, Count: 1, Data: []byte{0, 1}}, "1 to 121 registers"},
		{modbus.Request{Unit: 1, Function: modbus.ReadWriteMultipleRegisters, Count: 1, Data: []byte{0xFF, 0xFF, 0, 1, 0, 2}}, "past address 65535"},
		{modbus.Request{Unit: 1, Function: modbus.ReadWriteMultipleRegisters, Count: 126, Data: []byte{0, 1, 0, 1}}, "takes 1 to 125"},
		{modbus.Request{Unit: 1, Function: modbus.ReadFIFOQueue, Data: []byte{1}}, "carries 0 bytes, not 1"},
	}
	for _, tt := range tests {
		tr := &transport{}
		_, err := modbus.NewClient(tr).Do(tt.req, modbus.Timing{})
		if modbus.FaultOf(err) != modbus.Refused || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.req, err, tt.want)
		}
		if tr.sent != nil {
			t.Errorf("%+v was sent", tt.req)
		}
	}
}

func TestExceptions(t *testing.T) {
	tests := []struct {
		code byte
		want modbus.Fault
		text string
	}{
		{1, modbus.Unsupported, "unit 7: unsupported: exception 1 (illegal function)"},
		{2, modbus.Refused, "unit 7: refused: exception 2 (illegal data address)"},
		{3, modbus.Refused, "unit 7: refused: exception 3 (illegal data value)"},
		{4, modbus.Refused, "unit 7: refused: exception 4 (server device failure)"},
		{5, modbus.Busy, "unit 7: busy: exception 5 (acknowledge)"},
		{6, modbus.Busy, "unit 7: busy: exception 6 (server device busy)"},
		{8, modbus.Refused, "unit 7: refused: exception 8 (memory parity error)"},
		{10, modbus.Silent, "unit 7: silent: exception 10 (gateway path unavailable)"},
		{11, modbus.Silent, "unit 7: silent: exception 11 (gateway target device failed to respond)"},
		{99, modbus.Refused, "unit 7: refused: exception 99 (unknown)"},
	}
	for _, tt := range tests {
		tr := &transport{reply: []byte{7, 0x83, tt.code}}
		_, err := modbus.NewClient(tr).Do(modbus.Request{Unit: 7, Function: modbus.ReadHoldingRegisters, Count: 1}, modbus.Timing{})
		e, ok := errors.AsType[*modbus.Error](err)
		if !ok || e.Fault != tt.want || e.Exception != tt.code || e.Unit != 7 || err.Error() != tt.text {
			t.Errorf("exception %d: %v, want %v", tt.code, err, tt.text)
		}
	}
}

// A Transport delivers the right shape; the client does not take its word for it.
func TestReplyOfAnotherShape(t *testing.T) {
	holding := modbus.Request{Unit: 7, Function: modbus.ReadHoldingRegisters, Count: 2}
	queue := modbus.Request{Unit: 7, Function: modbus.ReadFIFOQueue}
	write := modbus.Request{Unit: 7, Function: modbus.WriteSingleRegister, Address: 1, Data: []byte{1, 2}}
	identify := modbus.Request{Unit: 7, Function: modbus.EncapsulatedInterface, Data: []byte{14, 1, 0}}
	server := modbus.Request{Unit: 7, Function: modbus.ReportServerID}
	tests := []struct {
		req   modbus.Request
		reply string
	}{
		{holding, "07 03"},
		{holding, "07 03 02 0001"},
		{holding, "07 03 06 000100020003"},
		{holding, "07 03 04 000100"},
		{holding, "07 03 03 00010002"},
		{holding, "08 03 04 00010002"},
		{holding, "07 04 04 00010002"},
		{holding, "07 84 02"},
		{holding, "07 83"},
		{holding, "07 83 02 00"},
		{write, "07 06 0001 0103"},
		{write, "07 06 0002 0102"},
		{write, "07 06 0001 0102 00"},
		{queue, "07 18"},
		{queue, "07 18 0006 0002 0001"},
		{queue, "07 18 0006 0001 00010002"},
		{queue, "07 18 0042 0020 " + strings.Repeat("0001", 32)},
		{identify, "07 2b 0e 01 01 00 00 02 00 02 4142"},
		{identify, "07 2b 0e 01 01 00 00 01 00 02 4142 01 01 43"},
		{identify, "07 2b 0e 04 01 00 00 01 00 02 4142"},
		{identify, "07 2b 0d 01 01 00 00 01 00 02 4142"},
		{server, "07 11 03 4142"},
		{server, "07 11"},
	}
	for _, tt := range tests {
		_, err := modbus.NewClient(&transport{reply: unhex(t, tt.reply)}).Do(tt.req, modbus.Timing{})
		if modbus.FaultOf(err) != modbus.Frame {
			t.Errorf("%v, reply %s: %v, want a frame fault", tt.req.Function, tt.reply, err)
		}
	}
}

func TestTransportErrorPassesThrough(t *testing.T) {
	cause := &modbus.Error{Fault: modbus.Silent, Unit: 3, Err: modbus.ErrInDoubt}
	_, err := modbus.NewClient(&transport{err: cause}).Do(modbus.Request{Unit: 3, Function: modbus.ReadCoils, Count: 1}, modbus.Timing{})
	if err != error(cause) || !errors.Is(err, modbus.ErrInDoubt) {
		t.Errorf("got %v, want %v", err, cause)
	}
	if got, want := err.Error(), "unit 3: silent: may still answer an older request"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFaultOf(t *testing.T) {
	if f := modbus.FaultOf(nil); f != modbus.None {
		t.Errorf("nil is %v", f)
	}
	if f := modbus.FaultOf(errors.New("other")); f != modbus.None {
		t.Errorf("an error of another kind is %v", f)
	}
	if f := modbus.FaultOf(errors.Join(&modbus.Error{Fault: modbus.Busy})); f != modbus.Busy {
		t.Errorf("a wrapped fault is %v", f)
	}
}

// No reply, however odd, makes the client panic or return other than what was
// asked for.
func FuzzReply(f *testing.F) {
	f.Add(uint8(0), uint8(3), []byte{7, 3, 4, 0, 1, 0, 2})
	f.Add(uint8(0), uint8(24), []byte{7, 24, 0, 6, 0, 2, 0, 1, 0, 2})
	f.Add(uint8(0), uint8(1), []byte{7, 0x81, 2})
	f.Add(uint8(0), uint8(6), []byte{})
	f.Add(uint8(0), uint8(17), []byte{7, 17, 1, 0xFF})
	f.Add(uint8(1), uint8(3), []byte(":07030400010002EF\r\n"))
	f.Add(uint8(1), uint8(3), []byte(":078302\r\n"))
	f.Add(uint8(2), uint8(3), []byte{0, 1, 0, 0, 0, 7, 7, 3, 4, 0, 1, 0, 2})
	f.Add(uint8(2), uint8(3), []byte{0, 1, 0, 0, 0, 2, 7, 0x83})
	f.Fuzz(func(t *testing.T, framing, function uint8, reply []byte) {
		req := modbus.Request{Unit: 7, Function: modbus.Function(function), Count: 2}
		switch req.Function {
		case modbus.WriteSingleCoil, modbus.WriteSingleRegister:
			req.Data = []byte{0, 0}
		case modbus.MaskWriteRegister, modbus.ReadWriteMultipleRegisters, modbus.WriteMultipleRegisters:
			req.Data = make([]byte, 4)
		case modbus.WriteMultipleCoils:
			req.Data = []byte{3}
		}
		data, err := modbus.NewClient(&transport{framing: modbus.Framing(framing % 3), reply: reply}).Do(req, modbus.Timing{})
		if err != nil {
			return
		}
		switch req.Function {
		case modbus.ReadCoils, modbus.ReadDiscreteInputs:
			if len(data) != 1 {
				t.Errorf("%d bytes for two coils", len(data))
			}
		case modbus.ReadHoldingRegisters, modbus.ReadInputRegisters, modbus.ReadWriteMultipleRegisters:
			if len(data) != 4 {
				t.Errorf("%d bytes for two registers", len(data))
			}
		case modbus.ReadFIFOQueue:
			if len(data) > 62 || len(data)%2 != 0 {
				t.Errorf("%d bytes from a queue", len(data))
			}
		case modbus.WriteSingleCoil, modbus.WriteSingleRegister, modbus.WriteMultipleCoils, modbus.WriteMultipleRegisters, modbus.MaskWriteRegister:
			if data != nil {
				t.Errorf("% x from a write", data)
			}
		}
	})
}
