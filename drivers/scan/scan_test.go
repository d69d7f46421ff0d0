package scan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/scan"
)

var (
	slow = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	even = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}
	fast = modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
)

// field is a line with units that answer at one speed and parity.
type field struct {
	right   modbus.Line
	replies map[string]string // by request, both without checksum
	fault   modbus.Fault      // of every other exchange
	takes   time.Duration     // what such an exchange takes

	line  modbus.Line // as opened last
	asked []string
	open  int
}

func (f *field) Framing() modbus.Framing { return modbus.RTU }

func (f *field) Open(l modbus.Line) (scan.Port, error) {
	f.line = l
	f.open++
	return f, nil
}

func (f *field) Close() error { f.open--; return nil }

func (f *field) Exchange(adu []byte, t modbus.Timing) ([]byte, error) {
	request := string(adu[:len(adu)-2])
	f.asked = append(f.asked, fmt.Sprintf("%x", request))
	if reply, ok := f.replies[request]; ok && f.line == f.right {
		return modbus.AppendCRC([]byte(reply)), nil
	}
	time.Sleep(f.takes)
	return nil, &modbus.Error{Fault: f.fault, Unit: modbus.UnitID(adu[0]), Err: errors.New("no reply")}
}

func (f *field) config(lines ...modbus.Line) scan.Config {
	return scan.Config{
		Lines: lines, Units: []modbus.UnitID{1, 2, 3}, Timeout: 100 * time.Millisecond, Open: f.Open,
		Next: func(modbus.Line, int) {}, Found: func(scan.Unit) {},
	}
}

func TestFindsUnits(t *testing.T) {
	f := &field{right: even, fault: modbus.Silent, replies: map[string]string{
		"\x02\x08\x00\x00\xA5\x37": "\x02\x08\x00\x00\xA5\x37",
		"\x02\x03\x00\x00\x00\x01": "\x02\x03\x02\x05\xDC",
		"\x02\x04\x00\x00\x00\x01": "\x02\x84\x02",
		"\x03\x04\x00\x00\x00\x01": "\x03\x04\x02\x00\x01", // knows one function only
	}}
	c := f.config(slow, even, fast)
	var found []string
	c.Found = func(u scan.Unit) { found = append(found, fmt.Sprint(u.ID, " ", u.Line, " ", u.Answers)) }
	var progress []string
	c.Next = func(l modbus.Line, unit int) { progress = append(progress, fmt.Sprint(l, " ", unit)) }
	r, err := c.Run(t.Context())
	want := []string{
		"2 9600 8E1 [diagnostics: echo read holding registers: 0x0000 = 05dc read input registers: exception 2 (illegal data address)]",
		"3 9600 8E1 [read input registers: 0x0000 = 0001]",
	}
	if err != nil || !slices.Equal(found, want) || len(r.Units) != 2 || r.Unreadable != 0 {
		t.Errorf("%q, %v, %+v\nwant %q", found, err, r, want)
	}
	// 19200 is not tried any more.
	if want := []string{"9600 8N1 0", "9600 8N1 1", "9600 8N1 2", "9600 8E1 0", "9600 8E1 1", "9600 8E1 2"}; !slices.Equal(progress, want) {
		t.Errorf("%q, want %q", progress, want)
	}
	// Every unit is asked the same three things, none of which changes anything.
	if want := []string{"01080000a537", "010300000001", "010400000001"}; len(f.asked) != 18 || !slices.Equal(f.asked[:3], want) || f.open != 0 {
		t.Errorf("asked %q, %d ports left open", f.asked, f.open)
	}
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &field{fault: modbus.Silent, takes: 100 * time.Millisecond}
		c, start := f.config(slow, fast), time.Now()
		r, err := c.Run(t.Context())
		if took := time.Since(start); err != nil || len(r.Units) > 0 || took != 1800*time.Millisecond || took > c.Bound() {
			t.Errorf("%+v, %v after %v, the bound is %v", r, err, took, c.Bound())
		}
	})
}

// TestBound is about a line that babbles: every exchange takes longer than its
// timeout.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &field{fault: modbus.Frame, takes: 700 * time.Millisecond}
		c, start := f.config(slow), time.Now()
		r, err := c.Run(t.Context())
		if took := time.Since(start); !errors.Is(err, scan.ErrBound) || took > c.Bound() || r.Unreadable == 0 {
			t.Errorf("%+v, %v after %v, the bound is %v", r, err, took, c.Bound())
		}
	})
}

func TestEndsEarly(t *testing.T) {
	f := &field{fault: modbus.Medium}
	if _, err := f.config(slow).Run(t.Context()); modbus.FaultOf(err) != modbus.Medium || len(f.asked) != 1 {
		t.Errorf("port gone: %v after %d requests", err, len(f.asked))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f = &field{fault: modbus.Silent}
	if _, err := f.config(slow).Run(ctx); !errors.Is(err, context.Canceled) || len(f.asked) != 0 {
		t.Errorf("cancelled: %v after %d requests", err, len(f.asked))
	}
	missing := errors.New("no such port")
	c := f.config(slow)
	c.Open = func(modbus.Line) (scan.Port, error) { return nil, missing }
	if _, err := c.Run(t.Context()); err != missing {
		t.Errorf("no port: %v", err)
	}
}
