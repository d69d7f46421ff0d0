package ascii_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/modbus"
)

var (
	line    = modbus.Line{Baud: 9600, DataBits: 7, Parity: modbus.EvenParity, StopBits: 1}
	timing  = modbus.Timing{Timeout: 200 * time.Millisecond}
	errGone = errors.New("adapter is gone")
)

const latency = 5 * time.Millisecond

// wire is a line in virtual time, seen through one port: bytes are put on it with
// the time at which they will be there, and Read sleeps until then.
type wire struct {
	device func(req []byte, end time.Time) // what the units do about a request
	echo   bool
	gone   bool

	timeout time.Duration
	in      []character
	sent    []string    // every request
	starts  []time.Time // and when it began
}

type character struct {
	at time.Time
	b  byte
}

func (w *wire) SetReadTimeout(d time.Duration) error { w.timeout = d; return nil }
func (w *wire) Close() error                         { w.gone = true; return nil }

func (w *wire) Read(p []byte) (n int, err error) {
	for deadline := time.Now().Add(w.timeout); ; {
		if w.gone {
			return 0, errGone
		}
		for n < len(p) && n < len(w.in) && !w.in[n].at.After(time.Now()) {
			p[n] = w.in[n].b
			n++
		}
		if w.in = w.in[n:]; n > 0 || !time.Now().Before(deadline) {
			return n, nil
		}
		next := deadline
		if len(w.in) > 0 && w.in[0].at.Before(next) {
			next = w.in[0].at
		}
		time.Sleep(time.Until(next))
	}
}

func (w *wire) Write(p []byte) (int, error) {
	if w.gone {
		return 0, errGone
	}
	w.sent, w.starts = append(w.sent, string(p)), append(w.starts, time.Now())
	end := time.Now().Add(line.Chars(len(p)))
	if w.echo {
		w.say(time.Now(), string(p))
	}
	if w.device != nil {
		w.device(unframe(string(p)), end)
	}
	return len(p), nil
}

// say puts text on the wire from start on, without a hole.
func (w *wire) say(start time.Time, text string) time.Time {
	for i := range len(text) {
		w.in = append(w.in, character{start.Add(line.Chars(i + 1)), text[i]})
	}
	slices.SortStableFunc(w.in, func(a, b character) int { return a.at.Compare(b.at) })
	return start.Add(line.Chars(len(text)))
}

// polite answers every request in time.
func (w *wire) polite(req []byte, end time.Time) { w.say(end.Add(latency), reply(req)) }

func newWire(cfg ascii.Config) (*wire, *ascii.Transport, *modbus.Client) {
	w := &wire{echo: cfg.Echo}
	w.device = w.polite
	cfg.Line = line
	transport := ascii.New(w, cfg)
	return w, transport, modbus.NewClient(transport)
}

// frame writes unit, function and data for the wire.
func frame(body ...byte) string {
	var sum byte
	for _, b := range body {
		sum += b
	}
	return fmt.Sprintf(":%X%02X\r\n", body, -sum)
}

// unframe returns unit, function and data of a frame.
func unframe(s string) []byte {
	b, err := hex.DecodeString(strings.TrimSuffix(strings.TrimPrefix(s, ":"), "\r\n"))
	if err != nil {
		panic(err)
	}
	return b[:len(b)-1]
}

func value(unit byte, address uint16) uint16 { return uint16(unit)*257 ^ address*40503 }

// reply is the correct answer to a read or to diagnostics.
func reply(req []byte) string {
	if req[1] == byte(modbus.Diagnostics) {
		return frame(req...)
	}
	address, count := binary.BigEndian.Uint16(req[2:]), binary.BigEndian.Uint16(req[4:])
	body := []byte{req[0], req[1], byte(2 * count)}
	for i := range count {
		body = binary.BigEndian.AppendUint16(body, value(req[0], address+i))
	}
	return frame(body...)
}

func read(unit modbus.UnitID, address, count uint16) modbus.Request {
	return modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Address: address, Count: count}
}

func right(data []byte, unit byte, address uint16) bool {
	for i := 0; i+1 < len(data); i += 2 {
		if binary.BigEndian.Uint16(data[i:]) != value(unit, address+uint16(i/2)) {
			return false
		}
	}
	return len(data) > 0
}

func want(t *testing.T, err error, fault modbus.Fault) {
	t.Helper()
	if modbus.FaultOf(err) != fault || (err == nil) != (fault == modbus.None) {
		t.Fatalf("error %v, want fault %v", err, fault)
	}
}
