package scan_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
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
	framing modbus.Framing
	fault   modbus.Fault // of every other exchange
	paced   bool         // such an exchange takes its timeout, or
	takes   time.Duration

	client *modbus.Client
	line   modbus.Line // as opened last
	asked  []string
	heard  int
	open   int
}

func (f *field) Heard() int { return f.heard }

func (f *field) Framing() modbus.Framing { return f.framing }

func (f *field) Open(l modbus.Line) (scan.Port, error) {
	f.line = l
	f.open++
	f.client = modbus.NewClient(f)
	return f, nil
}

func (f *field) Do(req modbus.Request, t modbus.Timing) ([]byte, error) { return f.client.Do(req, t) }

func (f *field) Close() error { f.open--; return nil }

func (f *field) Exchange(adu []byte, t modbus.Timing) ([]byte, error) {
	request := string(adu[:len(adu)-2])
	if f.framing == modbus.TCP {
		request = string(adu[6:])
	}
	f.asked = append(f.asked, fmt.Sprintf("%x", request))
	reply, ok := f.replies[request]
	if same, known := f.replies["\x00"+request[1:]]; !ok && known { // whatever the unit
		reply, ok = request[:1]+same[1:], true
	}
	switch {
	case !ok || f.line != f.right:
	case f.framing == modbus.TCP:
		f.heard++
		return append(append(adu[:4:4], 0, byte(len(reply))), reply...), nil
	default:
		f.heard++
		return modbus.AppendCRC([]byte(reply)), nil
	}
	if f.paced {
		time.Sleep(cmp.Or(f.takes, t.Timeout))
	}
	if f.fault == modbus.Frame {
		f.heard++
	}
	return nil, &modbus.Error{Fault: f.fault, Unit: modbus.UnitID(adu[0]), Err: errors.New("no reply")}
}

func (f *field) config(lines ...modbus.Line) scan.Config {
	return scan.Config{
		Lines: lines, Units: []modbus.UnitID{1, 2, 3}, Timeout: 100 * time.Millisecond, Window: 40 * time.Millisecond, Open: f.Open,
		Next: func(scan.Progress) {}, Found: func(scan.Unit) {},
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
	c.Next = func(p scan.Progress) {
		progress = append(progress, fmt.Sprintf("%v %d %d %.2f", p.Line, p.Round, p.Unit, p.Done))
	}
	r, err := c.Run(t.Context())
	want := []string{
		"2 9600 8E1 [diagnostics: echo read holding registers: 0x0000 = 05dc read input registers: exception 2 (illegal data address)]",
		"3 9600 8E1 [read input registers: 0x0000 = 0001]",
	}
	if err != nil || !slices.Equal(found, want) || len(r.Units) != 2 || len(r.Unreadable) > 0 {
		t.Errorf("%q, %v, %+v\nwant %q", found, err, r, want)
	}
	// 19200 is not tried any more, and those that were found are not asked again.
	if want := []string{
		"9600 8N1 0 1 0.00", "9600 8N1 0 2 0.11", "9600 8N1 0 3 0.22", "9600 8E1 0 1 0.33", "9600 8E1 0 2 0.44", "9600 8E1 0 3 0.56",
		"9600 8E1 1 1 0.00", "9600 8E1 1 3 0.50",
	}; !slices.Equal(progress, want) {
		t.Errorf("%q, want %q", progress, want)
	}
	// Nothing changes by what they are asked.
	if want := []string{
		"010300000001", "020300000001", "030300000001",
		"010300000001", "020300000001", "02080000a537", "020300000001", "020400000001", "022b0e0200", "0211", "030300000001",
		"010400000001", "030400000001", "03080000a537", "030300000001", "030400000001", "032b0e0200", "0311",
	}; !slices.Equal(f.asked, want) || f.open != 0 {
		t.Errorf("asked %q, %d ports left open", f.asked, f.open)
	}
}

// TestIdentity has what units say that they are.
func TestIdentity(t *testing.T) {
	there := "\x01\x03\x02\x00\x00"
	for _, tt := range []struct {
		name    string
		replies map[string]string
		want    string
	}{
		{"nothing", nil, ""},
		{"objects", map[string]string{"\x01\x2B\x0E\x02\x00": "\x01\x2B\x0E\x02\x82\x00\x00\x03\x00\x04ACME\x01\x02M1\x80\x01x"}, "ACME M1"},
		{"objects in two pages", map[string]string{
			"\x01\x2B\x0E\x02\x00": "\x01\x2B\x0E\x02\x82\xFF\x01\x01\x00\x04ACME",
			"\x01\x2B\x0E\x02\x01": "\x01\x2B\x0E\x02\x82\x00\x00\x01\x01\x02M1",
		}, "ACME M1"},
		{"basic objects only", map[string]string{
			"\x01\x2B\x0E\x02\x00": "\x01\xAB\x03",
			"\x01\x2B\x0E\x01\x00": "\x01\x2B\x0E\x01\x01\x00\x00\x01\x00\x04ACME",
		}, "ACME"},
		{"pages without end", map[string]string{
			"\x01\x2B\x0E\x02\x00": "\x01\x2B\x0E\x02\x82\xFF\x00\x01\x00\x04ACME",
		}, "ACME"},
		{"text among bytes", map[string]string{"\x01\x11": "\x01\x11\x09\x02\xFFa\x00PM-3\x00"}, "PM-3"},
		{"bytes", map[string]string{"\x01\x11": "\x01\x11\x02\x02\xFF"}, "id 02ff"},
		{"objects and text", map[string]string{
			"\x01\x2B\x0E\x02\x00": "\x01\x2B\x0E\x02\x82\x00\x00\x01\x00\x04ACME", "\x01\x11": "\x01\x11\x04PM-3",
		}, "ACME"},
	} {
		f := &field{right: slow, fault: modbus.Silent, replies: map[string]string{"\x01\x03\x00\x00\x00\x01": there}}
		maps.Copy(f.replies, tt.replies)
		c := f.config(slow)
		c.Units = c.Units[:1]
		r, err := c.Run(t.Context())
		if err != nil || len(r.Units) != 1 || r.Units[0].Identity.String() != tt.want {
			t.Errorf("%s: %+v, %v, want %q", tt.name, r, err, tt.want)
		}
	}
}

// TestNames has somebody who asks a unit what it is.
func TestNames(t *testing.T) {
	f := &field{right: slow, fault: modbus.Silent, replies: map[string]string{
		"\x01\x03\x00\x00\x00\x01": "\x01\x03\x02\x00\x00", "\x01\x04\x00\x34\x00\x02": "\x01\x04\x04\x43\x66\x80\x00", "\x01\x01\x00\x00\x00\x01": "\x01\x81\x02",
	}}
	c := f.config(slow)
	total := modbus.Request{Function: modbus.ReadInputRegisters, Address: 0x34, Count: 2}
	c.Name = func(u scan.Unit, ask scan.Ask) []string {
		if data, err := ask(total); err != nil || string(data) != "\x43\x66\x80\x00" {
			t.Errorf("% x, %v", data, err)
		}
		if _, err := ask(modbus.Request{Function: modbus.ReadCoils, Count: 1}); modbus.FaultOf(err) != modbus.Refused {
			t.Errorf("refused: %v", err)
		}
		for _, writes := range []modbus.Request{
			{Function: modbus.WriteSingleRegister, Data: []byte{0, 1}}, {Function: modbus.EncapsulatedInterface, Data: []byte{13, 1, 2}}, {Function: 0x41},
		} {
			if _, err := ask(writes); err != scan.ErrNoMore {
				t.Errorf("%v: %v", writes.Function, err)
			}
		}
		if _, err := ask(modbus.Request{Function: modbus.ReadHoldingRegisters, Address: 7, Count: 1}); modbus.FaultOf(err) != modbus.Silent {
			t.Errorf("not answered: %v", err)
		}
		if _, err := ask(total); err != scan.ErrNoMore {
			t.Errorf("after a request that was not answered: %v", err)
		}
		return []string{"sdm630"}
	}
	r, err := c.Run(t.Context())
	if err != nil || len(r.Units) != 1 || !slices.Equal(r.Units[0].Names, []string{"sdm630"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if c.Each() <= 50*c.Timeout {
		t.Errorf("each takes up to %v", c.Each())
	}
}

// TestNetwork has a device that does not look at the unit, a gateway that says of
// absent units that they do not answer, and one that says nothing of them.
func TestNetwork(t *testing.T) {
	read := "\x03\x00\x00\x00\x01"
	absent := map[string]string{"\x00\x08\x00\x00\xA5\x37": "\x00\x88\x0B", "\x00" + read: "\x00\x83\x0B", "\x00\x04\x00\x00\x00\x01": "\x00\x84\x0A"}
	there := map[string]string{"\x02" + read: "\x02\x03\x02\x00\x01"}
	for _, tt := range []struct {
		name    string
		replies []map[string]string
		any     bool
		want    []modbus.UnitID
	}{
		{"device", []map[string]string{{"\x00" + read: "\x00\x03\x02\x00\x01"}}, true, []modbus.UnitID{255}},
		{"device that refuses", []map[string]string{{"\x00" + read: "\x00\x83\x02"}}, true, []modbus.UnitID{255}},
		{"gateway", []map[string]string{absent, there}, false, []modbus.UnitID{2}},
		{"silent gateway", []map[string]string{there}, false, []modbus.UnitID{2}},
	} {
		f := &field{right: slow, framing: modbus.TCP, fault: modbus.Silent, replies: map[string]string{}}
		for _, m := range tt.replies {
			maps.Copy(f.replies, m)
		}
		r, err := f.config(slow).Run(t.Context())
		var got []modbus.UnitID
		for _, u := range r.Units {
			got = append(got, u.ID)
		}
		if err != nil || r.AnyUnit != tt.any || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &field{fault: modbus.Silent, paced: true}
		c, start := f.config(slow, fast), time.Now()
		var left time.Duration
		c.Next = func(p scan.Progress) { left = max(left, p.Left) }
		r, err := c.Run(t.Context())
		// Two rounds of two lines of three units, the last of which gets its full time.
		if took := time.Since(start); err != nil || len(r.Units) > 0 || took != 2*(2*40+100)*time.Millisecond+2*(2*50+100)*time.Millisecond || took > c.Bound() {
			t.Errorf("%+v, %v after %v, the bound is %v", r, err, took, c.Bound())
		}
		if want := c.Sweep(slow) + c.Sweep(fast); left < want {
			t.Errorf("%v left at most, want %v or more", left, want)
		}
	})
}

// TestBound is about a line that babbles: every exchange takes longer than its
// timeout.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &field{fault: modbus.Frame, paced: true, takes: 700 * time.Millisecond}
		c, start := f.config(slow), time.Now()
		r, err := c.Run(t.Context())
		if took := time.Since(start); !errors.Is(err, scan.ErrBound) || took > c.Bound() || len(r.Unreadable) == 0 {
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
