package modbus_test

import (
	"testing"
	"time"

	"sluice/drivers/modbus"
)

func TestSilence(t *testing.T) {
	tests := []struct {
		line modbus.Line
		want time.Duration
	}{
		{modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}, 4010416 * time.Nanosecond},
		{modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, 3645833 * time.Nanosecond},
		{modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 2}, 2005208 * time.Nanosecond},
		{modbus.Line{Baud: 38400, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, 1750 * time.Microsecond},
	}
	for _, tt := range tests {
		if got := tt.line.Silence(); got != tt.want {
			t.Errorf("%v: t3.5 is %v, want %v", tt.line, got, tt.want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, s := range []string{"8N1", "8E1", "8O2", "7M2", "8S1"} {
		bits, parity, stop, err := modbus.ParseFormat(s)
		line := modbus.Line{Baud: 9600, DataBits: bits, Parity: parity, StopBits: stop}
		if err != nil || line.String() != "9600 "+s {
			t.Errorf("%s: %v, %v", s, line, err)
		}
	}
	for _, s := range []string{"", "8", "8N", "8N12", "9N1", "8X1", "8N3", "N81"} {
		if _, _, _, err := modbus.ParseFormat(s); err == nil {
			t.Errorf("%q was taken for a format", s)
		}
	}
}

func TestCRC(t *testing.T) {
	// The example of Modbus over Serial Line V1.02, 6.2.2: unit 2, function 7.
	frame := modbus.AppendCRC([]byte{2, 7})
	if want := []byte{2, 7, 0x41, 0x12}; string(frame) != string(want) || !modbus.ValidCRC(frame) {
		t.Errorf("frame % x, want % x", frame, want)
	}
	for i := range frame {
		frame[i] ^= 1
		if modbus.ValidCRC(frame) {
			t.Errorf("a flipped bit in byte %d passed", i)
		}
		frame[i] ^= 1
	}
	if modbus.ValidCRC([]byte{0xFF, 0xFF}) {
		t.Error("two bytes passed for a frame")
	}
}
