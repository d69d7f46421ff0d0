package modbus_test

import (
	"bytes"
	"strings"
	"testing"

	"sluice/drivers/modbus"
)

// TestASCII has the example of Modbus over Serial Line V1.02, appendix, and frames
// that are none.
func TestASCII(t *testing.T) {
	body, frame := []byte("\x11\x03\x00\x6B\x00\x03"), ":1103006B00037E\r\n"
	if got := string(modbus.EncodeASCII(body)); got != frame {
		t.Errorf("%q, want %q", got, frame)
	}
	if got, err := modbus.DecodeASCII([]byte(frame)); err != nil || !bytes.Equal(got, body) {
		t.Errorf("% x, %v", got, err)
	}
	for text, want := range map[string]string{
		"":                        "not a frame",
		":11EF\r\n":               "not a frame",
		":1103006B00037E\n":       "not a frame",
		"1103006B00037E\r\n":      "not a frame",
		":1103006B0003 7E\r\n":    "not a frame",
		":1103006B0003XY\r\n":     "not a frame",
		":1103006B00037F\r\n":     "the checksum is wrong",
		":1103006B00037E\r\n\r\n": "not a frame",
	} {
		if _, err := modbus.DecodeASCII([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzDecodeASCII(f *testing.F) {
	f.Add([]byte(":1103006B00037E\r\n"))
	f.Add([]byte(":0183027A\r\n"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		body, err := modbus.DecodeASCII(frame)
		if err == nil && !strings.EqualFold(string(modbus.EncodeASCII(body)), string(frame)) {
			t.Fatalf("%q became % x", frame, body)
		}
	})
}
