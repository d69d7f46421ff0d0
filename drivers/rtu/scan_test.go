package rtu_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
)

func TestScan(t *testing.T) {
	request := modbus.AppendCRC([]byte{1, 3, 0, 0, 0, 2})
	good := reply(request)
	coils := reply(modbus.AppendCRC([]byte{2, 1, 0, 0, 0, 30}))
	inside := modbus.AppendCRC(append([]byte{2, 3, byte(len(good))}, good...)) // ours as data of another's
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := []struct {
		name  string
		input []byte
		want  []byte
	}{
		{"alone", good, good},
		{"behind noise", join([]byte{1, 3, 4, 0, 9}, good), good},
		{"before noise", join(good, []byte{1, 3, 4}), good},
		{"behind another unit's reply", join(coils, good), good},
		{"behind our request", join(request, good), good},
		{"inside another unit's reply", inside, nil},
		{"exception", exception(request, 2), exception(request, 2)},
		{"exception to another function", exception([]byte{1, 4}, 2), nil},
		{"stopped", good[:len(good)-1], nil},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		got, _, err := rtu.Scan(request, tt.input, len(tt.input))
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%s: found % x, %v, want % x", tt.name, got, err, tt.want)
		}
	}
}

// Whatever arrives, in whatever pieces: the search finds nothing but a frame of
// the unit, the function and the exact length asked for, with its checksum, and
// never holds more than a frame.
func FuzzScan(f *testing.F) {
	for _, request := range [][]byte{
		{1, 3, 0, 0, 0, 2}, {1, 1, 0, 0, 7, 0xD0}, {9, 5, 0, 1, 0xFF, 0}, {1, 8, 0, 0, 0xA5, 0x37}, {1, 22, 0, 4, 0, 0xF2, 0, 0x25},
		{1, 23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 1},
	} {
		answer := reply(modbus.AppendCRC(bytes.Clone(request)))
		f.Add(request, answer, uint8(1))
		f.Add(request, append([]byte{request[0], request[1], 4}, answer...), uint8(8))
	}
	f.Add([]byte{1, 17}, modbus.AppendCRC([]byte{1, 17, 2, 'A', 0xFF}), uint8(2))
	f.Add([]byte{1, 43, 14, 1, 0}, modbus.AppendCRC([]byte{1, 43, 14, 1, 1, 0, 0, 1, 0, 1, 'A'}), uint8(2))
	f.Add([]byte{1, 65}, modbus.AppendCRC([]byte{1, 65, 1, 2, 3}), uint8(9))
	f.Add([]byte{1, 24, 4, 0xDE}, modbus.AppendCRC([]byte{1, 24, 0, 6, 0, 2, 1, 0xB8, 0x12, 0x84}), uint8(3))
	f.Fuzz(func(t *testing.T, request, input []byte, chunk uint8) {
		adu := modbus.AppendCRC(bytes.Clone(request))
		got, held, err := rtu.Scan(adu, input, 1+int(chunk))
		if err != nil {
			return
		}
		if held > 256 {
			t.Errorf("%d bytes held back", held)
		}
		if got == nil {
			return
		}
		exceptional := got[1] == adu[1]|0x80 && len(got) == 5
		if !modbus.ValidCRC(got) || got[0] != adu[0] || got[1] != adu[1] && !exceptional {
			t.Fatalf("% x was taken for the reply to % x", got, adu)
		}
		if exceptional {
			return
		}
		var size int
		switch adu[1] {
		case 1, 2:
			size = 5 + (int(binary.BigEndian.Uint16(adu[4:]))+7)/8
		case 3, 4, 23:
			size = 5 + 2*int(binary.BigEndian.Uint16(adu[4:]))
		case 5, 6, 11, 15, 16:
			size = 8
		case 7:
			size = 5
		case 17:
			size = 5 + int(got[2])
		case 22:
			size = 10
		case 24:
			size = 6 + int(binary.BigEndian.Uint16(got[2:]))
		default:
			return
		}
		if len(got) != size {
			t.Fatalf("a reply of %d bytes to % x, want %d", len(got), adu, size)
		}
	})
}

// loop is a port whose reply is there as soon as the line allows.
type loop struct {
	reply []byte
	ahead bool
}

func (l *loop) SetReadTimeout(time.Duration) error { return nil }
func (l *loop) Close() error                       { return nil }

func (l *loop) Write(p []byte) (int, error) {
	l.ahead = true
	return len(p), nil
}

func (l *loop) Read(p []byte) (int, error) {
	if !l.ahead {
		return 0, nil
	}
	l.ahead = false
	return copy(p, l.reply), nil
}

// BenchmarkExchange shows what one read of ten registers costs beside the wire.
func BenchmarkExchange(b *testing.B) {
	fast := modbus.Line{Baud: 1e9, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	l := &loop{reply: reply(modbus.AppendCRC([]byte{1, 3, 0, 0, 0, 10}))}
	client := modbus.NewClient(rtu.New(l, rtu.Config{Line: fast}))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Do(readHolding(1, 0, 10), modbus.Timing{Timeout: time.Second}); err != nil {
			b.Fatal(err)
		}
	}
}
