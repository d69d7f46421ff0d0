package device_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/drivers/sim/device"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// hexBytes reads spaced hex.
func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// named is a memory that says what it is. Its cells hold 0x55AA, 0x0102, 3, 4, ...
type named struct{ device.Memory }

func (*named) Identity() device.Identity {
	return device.Identity{Vendor: "V", Product: "PP", Revision: "1"}
}

func newMemory() *named {
	holding := []uint16{0x55AA, 0x0102, 3, 4, 5, 6, 7, 8}
	return &named{device.Memory{
		device.Coil:     {1, 0, 1, 1, 0, 0, 1, 1, 1, 0},
		device.Discrete: {0, 1, 1},
		device.Input:    {0xFFFF, 1},
		device.Holding:  append(holding, make([]uint16, 1<<16-8)...),
	}}
}

func TestAnswer(t *testing.T) {
	const zeros = "00000000000000000000000000000000000000000000000000000000000000"
	for _, tt := range []struct{ name, request, reply string }{
		{"read coils", "01 0000 000a", "01 02 cd01"},
		{"read coils, some", "01 0002 0003", "01 01 03"},
		{"read discretes", "02 0001 0002", "02 01 03"},
		{"read holding", "03 0000 0003", "03 06 55aa 0102 0003"},
		{"read input", "04 0001 0001", "04 02 0001"},
		{"last address", "03 ffff 0001", "03 02 0000"},
		{"write coil on", "05 0001 ff00", "05 0001 ff00"},
		{"write coil off", "05 0000 0000", "05 0000 0000"},
		{"write register", "06 0007 1234", "06 0007 1234"},
		{"write coils", "0f 0000 000a 02 ff03", "0f 0000 000a"},
		{"write registers", "10 0001 0002 04 000a 0102", "10 0001 0002"},
		{"mask register", "16 0000 00f2 0025", "16 0000 00f2 0025"},
		{"read and write", "17 0000 0003 0001 0002 04 00ff 00fe", "17 06 55aa 00ff 00fe"},
		{"diagnostics echo", "08 0000 a537", "08 0000 a537"},
		{"diagnostics echo, no data", "08 0000", "08 0000"},
		{"server id", "11", "11 08 01ff 562050502031"},
		{"identity", "2b 0e 01 00", "2b 0e 01 81 00 00 03 00 01 56 01 02 5050 02 01 31"},
		{"identity from object 2", "2b 0e 01 02", "2b 0e 01 81 00 00 01 02 01 31"},
		{"identity from object 9", "2b 0e 01 09", "2b 0e 01 81 00 00 03 00 01 56 01 02 5050 02 01 31"},
		{"one object", "2b 0e 04 01", "2b 0e 04 81 00 00 01 01 02 5050"},

		{"unknown function", "07", "87 01"},
		{"function above 127", "ff 00", "ff 01"},
		{"other diagnostics", "08 0001 0000", "88 01"},
		{"other encapsulation", "2b 0d 01 00", "ab 01"},
		{"beyond the table", "01 0009 0002", "81 02"},
		{"no such discrete", "02 0003 0001", "82 02"},
		{"beyond 65535", "03 ffff 0002", "83 02"},
		{"write beyond the table", "05 000a ff00", "85 02"},
		{"write beyond 65535", "10 ffff 0002 04 0000 0000", "90 02"},
		{"unknown object", "2b 0e 04 03", "ab 02"},
		{"no coils", "01 0000 0000", "81 03"},
		{"too many coils", "01 0000 07d1", "81 03"},
		{"no registers", "03 0000 0000", "83 03"},
		{"too many registers", "03 0000 007e", "83 03"},
		{"coil neither on nor off", "05 0000 0001", "85 03"},
		{"no coils to write", "0f 0000 0000 00", "8f 03"},
		{"byte count of coils", "0f 0000 0009 01 ff", "8f 03"},
		{"byte count of registers", "10 0000 0001 04 0000 0000", "90 03"},
		{"bytes missing", "10 0000 0002 04 0000", "90 03"},
		{"bytes left over", "06 0000 0001 00", "86 03"},
		{"cut short", "03 0000 00", "83 03"},
		{"mask cut short", "16 0000 00f2 00", "96 03"},
		{"too many to read and write", "17 0000 007e 0001 0001 02 0000", "97 03"},
		{"identity, more than there is", "2b 0e 02 00", "2b0e028100000300015601025050020131"},
		{"identity stream unknown", "2b 0e 05 00", "ab 03"},
		{"too many registers to write", "10 0000 007c f8" + strings.Repeat(zeros, 8), "90 03"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := device.Answer(newMemory(), noon, hexBytes(t, tt.request))
			if want := hexBytes(t, tt.reply); !bytes.Equal(got, want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestAnswerWrites(t *testing.T) {
	for _, tt := range []struct {
		request string
		table   device.Table
		address uint16
		want    []uint16
	}{
		{"05 0001 ff00", device.Coil, 0, []uint16{1, 1, 1}},
		{"05 0000 0000", device.Coil, 0, []uint16{0, 0, 1}},
		{"0f 0001 0009 02 0601", device.Coil, 0, []uint16{1, 0, 1, 1, 0, 0, 0, 0, 0, 1}},
		{"06 0001 1234", device.Holding, 0, []uint16{0x55AA, 0x1234}},
		{"10 0001 0002 04 000a 0102", device.Holding, 0, []uint16{0x55AA, 10, 0x0102, 4}},
		{"16 0000 00f2 0025", device.Holding, 0, []uint16{0x00A2 | 0x0005}}, // 55AA&00F2 | 0025&^00F2
		{"17 0000 0001 0002 0001 02 beef", device.Holding, 1, []uint16{0x0102, 0xBEEF, 4}},
	} {
		t.Run(tt.request, func(t *testing.T) {
			m := newMemory()
			device.Answer(m, noon, hexBytes(t, tt.request))
			for i, w := range tt.want {
				if got := m.Memory[tt.table][int(tt.address)+i]; got != w {
					t.Errorf("address %d: got %#04x, want %#04x", int(tt.address)+i, got, w)
				}
			}
		})
	}
}

func TestAnswerOfDevicesThatLackSomething(t *testing.T) {
	bare := &device.Memory{device.Input: {1}}
	for _, tt := range []struct{ request, reply string }{
		{"01 0000 0001", "81 01"},
		{"06 0000 0001", "86 01"},
		{"11", "91 01"},
		{"2b 0e 01 00", "ab 01"},
		{"", ""},
	} {
		if got, want := device.Answer(bare, noon, hexBytes(t, tt.request)), hexBytes(t, tt.reply); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", tt.request, got, want)
		}
	}
}

// broken is a device whose own logic failed.
type broken struct{ device.Memory }

func (*broken) Read(time.Time, device.Table, uint16, []uint16) error { return errors.New("flash") }

func TestAnswerOfBrokenDeviceIsFailure(t *testing.T) {
	if got := device.Answer(&broken{}, noon, hexBytes(t, "03 0000 0001")); !bytes.Equal(got, []byte{0x83, 4}) {
		t.Errorf("got %x", got)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"01 0000 000a", "02 0001 0002", "03 0000 007d", "04 0000 0002", "05 0001 ff00", "06 0007 1234", "08 0000 a537",
		"0f 0000 000a 02 ff03", "10 0001 0002 04 000a 0102", "11", "16 0000 00f2 0025",
		"17 0000 0003 0001 0002 04 00ff 00fe", "2b 0e 01 00", "2b 0e 04 02", "03 ffff 0002", "",
	} {
		f.Add(hexBytes(f, s))
	}
	devices := []device.Device{newMemory(), device.NewMeter(noon), device.Climate{}, device.NewPLC(noon)}
	f.Fuzz(func(t *testing.T, request []byte) {
		for _, d := range devices {
			before := bytes.Clone(request)
			reply := device.Answer(d, noon, request)
			switch {
			case !bytes.Equal(before, request):
				t.Fatalf("the request was changed to %x", request)
			case len(request) == 0:
				if reply != nil {
					t.Fatalf("%x to nothing", reply)
				}
			case len(reply) < 2 && len(request) > 1, len(reply) > max(253, len(request)):
				t.Fatalf("a reply of %d bytes", len(reply))
			case reply[0]|0x80 != request[0]|0x80:
				t.Fatalf("%x answered with %x", request, reply)
			case reply[0] == request[0]|0x80 && len(reply) != 2 && request[0] < 0x80:
				t.Fatalf("%x refused with %x", request, reply)
			}
		}
	})
}
