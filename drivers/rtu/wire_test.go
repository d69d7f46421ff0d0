package rtu_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
)

var line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}

var errGone = errors.New("adapter is gone")

// wire is a line in virtual time, seen through one port. Nothing runs in the
// background: bytes are put on the wire with the time at which they will be
// there, and Read sleeps until then.
type wire struct {
	line    modbus.Line
	device  func(request []byte, end time.Time) // what the units do about a request
	echo    bool
	trigger int       // bytes per lump of the receiver's FIFO; 0: byte by byte
	gone    time.Time // when the adapter is unplugged; zero: never
	refuse  bool      // Write takes one byte less than it is given

	timeout  time.Duration
	in       []character // to be received, in order
	busy     time.Time   // end of the last character on the wire
	requests []request
	reads    int // that returned bytes
}

type character struct {
	start, end time.Time // on the wire
	at         time.Time // in the port's buffer
	b          byte
}

type request struct {
	frame   []byte
	start   time.Time
	end     time.Time
	silence time.Duration // before it
}

func (w *wire) SetReadTimeout(d time.Duration) error { w.timeout = d; return nil }
func (w *wire) Close() error                         { w.gone = time.Now(); return nil }

func (w *wire) unplugged() bool { return !w.gone.IsZero() && !time.Now().Before(w.gone) }

func (w *wire) Read(p []byte) (n int, err error) {
	for deadline := time.Now().Add(w.timeout); ; {
		if w.unplugged() {
			return 0, errGone
		}
		for n < len(p) && n < len(w.in) && !w.in[n].at.After(time.Now()) {
			p[n] = w.in[n].b
			n++
		}
		if w.in = w.in[n:]; n > 0 {
			w.reads++
			return n, nil
		}
		next := deadline
		if len(w.in) > 0 && w.in[0].at.Before(next) {
			next = w.in[0].at
		}
		if !w.gone.IsZero() && w.gone.Before(next) {
			next = w.gone
		}
		if !time.Now().Before(deadline) {
			return 0, nil
		}
		time.Sleep(time.Until(next))
	}
}

func (w *wire) Write(p []byte) (int, error) {
	if w.unplugged() {
		return 0, errGone
	}
	if w.refuse {
		return len(p) - 1, nil
	}
	r := request{frame: slices.Clone(p), start: time.Now(), end: time.Now().Add(w.line.Chars(len(p)))}
	r.silence = r.start.Sub(w.lastBefore(r.start))
	w.requests = append(w.requests, r)
	collided := w.collide(r.start, r.end)
	if w.echo {
		w.say(r.start, p...)
	}
	if w.busy.Before(r.end) {
		w.busy = r.end
	}
	if w.device != nil && !collided {
		w.device(r.frame, r.end)
	}
	return len(p), nil
}

// say puts bytes on the wire from start on, without a hole.
func (w *wire) say(start time.Time, bytes ...byte) time.Time {
	first := len(w.in)
	for i, b := range bytes {
		c := character{start: start.Add(w.line.Chars(i)), end: start.Add(w.line.Chars(i + 1)), b: b}
		c.at = c.end
		w.in = append(w.in, c)
		if w.trigger > 0 && (i+1)%w.trigger == 0 {
			w.deliver(first, c.end)
			first = len(w.in)
		}
	}
	end := start.Add(w.line.Chars(len(bytes)))
	if w.trigger > 0 {
		w.deliver(first, end.Add(w.line.Chars(4)))
	}
	slices.SortStableFunc(w.in, func(a, b character) int { return a.at.Compare(b.at) })
	if w.busy.Before(end) {
		w.busy = end
	}
	return end
}

// arrive puts bytes into the port's buffer, all at once.
func (w *wire) arrive(at time.Time, bytes ...byte) {
	for _, b := range bytes {
		w.in = append(w.in, character{start: at, end: at, at: at, b: b})
	}
}

func (w *wire) deliver(from int, at time.Time) {
	for i := from; i < len(w.in); i++ {
		w.in[i].at = at
	}
}

// lastBefore is the end of what was on the wire before t. Characters still to
// come at t are in w.in.
func (w *wire) lastBefore(t time.Time) time.Time {
	last := time.Time{}
	for _, c := range w.in {
		if !c.start.After(t) && c.end.After(last) {
			last = c.end
		}
	}
	if last.IsZero() && !w.busy.After(t) {
		return w.busy
	}
	return last
}

// collide damages every character that is on the wire between start and end.
func (w *wire) collide(start, end time.Time) (collided bool) {
	for i, c := range w.in {
		if c.start.Before(end) && c.end.After(start) {
			w.in[i].b ^= 0x55
			collided = true
		}
	}
	return collided
}

// hush is the shortest silence before any request but the first.
func (w *wire) hush() time.Duration {
	least := time.Hour
	for _, r := range w.requests[1:] {
		least = min(least, r.silence)
	}
	return least
}

// value is what every register holds, so that a wrong value is told from a right
// one without asking the unit.
func value(unit byte, address uint16) uint16 { return uint16(unit)*257 ^ address*40503 }

// reply is the correct answer of a unit that knows every function but
// diagnostics, or nil for a broadcast.
func reply(req []byte) []byte {
	address, count := binary.BigEndian.Uint16(req[2:]), binary.BigEndian.Uint16(req[4:])
	head := slices.Clone(req[:2])
	switch {
	case req[0] == 0:
		return nil
	case req[1] <= 2:
		n := (int(count) + 7) / 8
		return modbus.AppendCRC(append(append(head, byte(n)), make([]byte, n)...))
	case req[1] <= 4 || req[1] == 23:
		head = append(head, byte(2*count))
		for i := range count {
			head = binary.BigEndian.AppendUint16(head, value(req[0], address+i))
		}
		return modbus.AppendCRC(head)
	case req[1] == 22:
		return slices.Clone(req)
	default:
		return modbus.AppendCRC(slices.Clone(req[:6]))
	}
}

func exception(req []byte, code byte) []byte {
	return modbus.AppendCRC([]byte{req[0], req[1] | 0x80, code})
}

const latency = 5 * time.Millisecond

// polite answers every request in time.
func (w *wire) polite(req []byte, end time.Time) { w.say(end.Add(latency), reply(req)...) }

// newWire returns a line of polite units, the transport on it and a client.
func newWire(cfg rtu.Config) (*wire, *rtu.Transport, *modbus.Client) {
	w := &wire{line: line, echo: cfg.Echo}
	w.device = w.polite
	cfg.Line = line
	transport := rtu.New(w, cfg)
	return w, transport, modbus.NewClient(transport)
}

func readHolding(unit modbus.UnitID, address, count uint16) modbus.Request {
	return modbus.Request{Unit: unit, Function: modbus.ReadHoldingRegisters, Address: address, Count: count}
}

// right reports whether data is what unit holds from address on.
func right(data []byte, unit byte, address uint16) bool {
	for i := 0; i+1 < len(data); i += 2 {
		if binary.BigEndian.Uint16(data[i:]) != value(unit, address+uint16(i/2)) {
			return false
		}
	}
	return len(data) > 0
}

var timing = modbus.Timing{Timeout: 200 * time.Millisecond}

// want fails unless err carries the fault.
func want(t *testing.T, err error, fault modbus.Fault) {
	t.Helper()
	if modbus.FaultOf(err) != fault || (err == nil) != (fault == modbus.None) {
		t.Fatalf("error %v, want fault %v", err, fault)
	}
}
