package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"sluice/broker/wire"
)

// pack makes a packet of its first byte and the rest.
func pack(first byte, rest string) string {
	return string([]byte{first}) + string(binary.AppendUvarint(nil, uint64(len(rest)))) + rest
}

const (
	connect3 = "\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00"
	connect4 = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00"
	connect5 = "\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00"
	full5    = "\x10\x2b\x00\x04MQTT\x05\xf6\x00\x3c\x05\x11\x00\x00\x00\x3c\x00\x01c\x05\x18\x00\x00\x00\x05\x00\x01t\x00\x01w\x00\x04user\x00\x04pass"
)

// read hands on what a Reader does.
func read(r io.Reader, limit int) (string, error) {
	var out bytes.Buffer
	_, err := io.Copy(&out, wire.NewReader(r, limit))
	return out.String(), err
}

func TestWellFormed(t *testing.T) {
	for name, in := range map[string]string{
		"3.1":        connect3 + "\xc0\x00",
		"everything": full5,
		"3.1.1": connect4 + pack(0x3b, "\x00\x01a\x00\x07x") + "\x40\x02\x00\x01\x50\x02\x00\x01\x62\x02\x00\x01\x70\x02\x00\x01" +
			pack(0x82, "\x00\x01\x00\x01a\x02\x00\x01b\x00") + pack(0xa2, "\x00\x01\x00\x01a\x00\x01b") + "\xc0\x00\xe0\x00",
		"5": connect5 + pack(0x31, "\x00\x01a\x0c\x26\x00\x01k\x00\x01v\x01\x01\x23\x00\x07x") + pack(0x30, "\x00\x00\x03\x23\x00\x07x") +
			"\x40\x02\x00\x01\x40\x03\x00\x01\x80\x50\x04\x00\x01\x00\x00" + pack(0x82, "\x00\x01\x02\x0b\x05\x00\x01a\x2e") +
			pack(0xa2, "\x00\x01\x00\x00\x01a") + "\xc0\x00\xe0\x06\x04\x04\x1f\x00\x01x",
		"large": connect4 + pack(0x30, "\x00\x01a"+strings.Repeat("x", 100_000)) + "\xc0\x00",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			if out, err := read(r, 1<<20); err != nil || out != in {
				t.Errorf("%s: %d of %d bytes, %v", name, len(out), len(in), err)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name, before, in string
		reason, version  byte
	}{
		{"no CONNECT", "", "\xc0\x00", wire.Violation, 0},
		{"two", connect4, connect4, wire.Violation, 4},
		{"other protocol", "", "\x10\x0c\x00\x04HTTP\x04\x02\x00\x00\x00\x00", wire.Violation, 0},
		{"old version", "", "\x10\x0c\x00\x04MQTT\x02\x02\x00\x00\x00\x00", wire.VersionNotKnown, 2},
		{"new version", "", "\x10\x0c\x00\x04MQTT\x06\x02\x00\x00\x00\x00", wire.VersionNotKnown, 6},
		{"session without name", "", "\x10\x0c\x00\x04MQTT\x04\x00\x00\x00\x00\x00", wire.ClientIDNotValid, 4},
		{"will without topic", "", "\x10\x11\x00\x04MQTT\x04\x06\x00\x00\x00\x00\x00\x00\x00\x01x", wire.TopicNameNotValid, 4},
		{"flags at once", connect4, "\x41", wire.Malformed, 4},
		{"endless length", connect4, "\x30\x80\x80\x80\x80", wire.Malformed, 4},
		{"too large", connect5, "\x30\xff\xff\xff\x7f", wire.TooLarge, 5},
		{"field behind the end", connect4, "\x30\x03\x00\x09a", wire.Malformed, 4},
		{"left over", connect4, "\xc0\x01x", wire.Malformed, 4},
		{"properties behind the end", connect5, pack(0x30, "\x00\x01a\x05\x01\x00"), wire.Malformed, 5},
		{"property twice", connect5, pack(0x30, "\x00\x01a\x04\x01\x00\x01\x00"), wire.Violation, 5},
		{"property of another packet", connect5, pack(0x30, "\x00\x01a\x05\x11\x00\x00\x00\x01"), wire.Malformed, 5},
		{"unknown property", connect5, pack(0x30, "\x00\x01a\x02\x7f\x00"), wire.Malformed, 5},
		{"long integer", connect5, pack(0x82, "\x00\x01\x06\x0b\x80\x80\x80\x80\x01\x00\x01a\x00"), wire.Malformed, 5},
		{"alias 0", connect5, pack(0x30, "\x00\x01a\x03\x23\x00\x00"), wire.AliasNotValid, 5},
		{"neither topic nor alias", connect5, pack(0x30, "\x00\x00\x00"), wire.Violation, 5},
		{"AUTH", connect5, "\xf0\x00", wire.Violation, 5},
		{"AUTH before 5", connect4, "\xf0\x00", wire.Violation, 4},
	} {
		out, err := read(strings.NewReader(tt.before+tt.in), 1<<20)
		fault, ok := errors.AsType[*wire.Fault](err)
		if !ok || fault.Reason != tt.reason || fault.Version != tt.version || out != tt.before {
			t.Errorf("%s: %v %+v after %q", tt.name, err, fault, out)
		}
	}
}

// TestCutShort: the end of the stream within a packet is no fault of form.
func TestCutShort(t *testing.T) {
	in := connect4 + pack(0x30, "\x00\x01a"+strings.Repeat("x", 10_000))
	for _, n := range []int{0, 1, 5, len(connect4) + 1, len(connect4) + 3, len(in) - 1} {
		out, err := read(strings.NewReader(in[:n]), 1<<20)
		if _, ok := errors.AsType[*wire.Fault](err); ok || len(out) > n {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// FuzzReader: whatever comes, a Reader hands on a beginning of it, the same
// however it is cut.
func FuzzReader(f *testing.F) {
	for _, in := range []string{connect3, connect4 + "\x82\x06\x00\x01\x00\x01a\x00", full5 + pack(0x30, "\x00\x01a\x02\x01\x01x"), connect5 + "\x40\x03\x00\x01\x80"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := read(bytes.NewReader(in), 8<<10)
		single, again := read(iotest.OneByteReader(bytes.NewReader(in)), 8<<10)
		if whole != single || !bytes.HasPrefix(in, []byte(whole)) || (err == nil) != (again == nil) {
			t.Errorf("%q, %v; byte by byte %q, %v", whole, err, single, again)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	one := pack(0x30, "\x00\x10site/meter/power\x00"+strings.Repeat("x", 60))
	in := connect5 + strings.Repeat(one, 10_000)
	for b.Loop() {
		if _, err := io.Copy(io.Discard, wire.NewReader(strings.NewReader(in), 1<<20)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/packet")
}
