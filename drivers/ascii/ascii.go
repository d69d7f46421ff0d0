// Package ascii moves Modbus ASCII frames over a serial port, or a connection
// that is one: request, reply of exactly the expected shape. As in RTU a reply
// does not say what it answers, and doubts are settled in the same way. A bus
// owns a Transport and gives it one request at a time; the package knows nothing
// of values, and keeps no queue.
package ascii

import (
	"fmt"
	"time"

	"sluice/drivers/modbus"
)

// Port is an open serial port. Read returns (0, nil) when the read timeout has
// passed without a byte: it is the clock of the bus.
type Port interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	SetReadTimeout(time.Duration) error
	Close() error
}

// Config describes the bus behind a port.
type Config struct {
	Line modbus.Line
	Echo bool // the adapter returns what is sent; it is compared byte by byte
	// Doubts outlives the transport when it is shared by those that follow each
	// other on one bus. nil: a transport begins without doubts.
	Doubts *modbus.Doubts
}

const (
	// turnaround is the pause after a broadcast, in which the units act on it
	// (Modbus over Serial Line V1.02, 2.4.1, has 100 to 200 ms).
	turnaround = 100 * time.Millisecond
	// hole is the longest silence inside a frame (2.5.2.1).
	hole = time.Second
)

// Transport performs exchanges on one port. It has one user at a time.
type Transport struct {
	port   Port
	line   modbus.Line
	echo   bool
	doubts *modbus.Doubts

	quiet time.Time     // when the line fell silent, or will when our request is out
	took  time.Duration // from the last request to its reply
	buf   [modbus.MaxASCII]byte
}

// New returns a transport on p, which it owns from then on.
func New(p Port, cfg Config) *Transport {
	t := &Transport{port: p, line: cfg.Line, echo: cfg.Echo, doubts: cfg.Doubts, quiet: time.Now()}
	if t.doubts == nil {
		t.doubts = new(modbus.Doubts)
	}
	return t
}

// Framing is modbus.ASCII.
func (t *Transport) Framing() modbus.Framing { return modbus.ASCII }

// Close closes the port.
func (t *Transport) Close() error { return t.port.Close() }

// NotBefore returns the time before which Exchange would refuse a request to the
// unit; others can use the line until then. It is zero, or past, for most.
func (t *Transport) NotBefore(unit modbus.UnitID) time.Time { return t.doubts.NotBefore(unit) }

// Latency is how long the unit took from the end of the last request to the
// first character of its reply, as far as the receiver tells; 0 after a broadcast
// or an exchange that failed. It is for the user of the transport.
func (t *Transport) Latency() time.Duration { return t.took }

// Exchange sends the frame adu and returns the reply, which may be an exception.
// A unit that may still answer an older request is asked for a canary first;
// where that is no help the request is not sent, the error wraps
// modbus.ErrInDoubt, and NotBefore says when to come again. Every wait is
// bounded, also on a line that babbles.
func (t *Transport) Exchange(adu []byte, timing modbus.Timing) ([]byte, error) {
	body, err := modbus.DecodeASCII(adu)
	if err != nil {
		return nil, &modbus.Error{Fault: modbus.Unsupported, Err: fmt.Errorf("request %q: %w", adu, err)}
	}
	unit := modbus.UnitID(body[0])
	t.took = 0
	if unit == modbus.Broadcast {
		return nil, t.broadcast(adu, timing)
	}
	err = t.doubts.Settle(unit, func(canary []byte) error {
		_, err := t.exchange(modbus.EncodeASCII(canary), canary, timing)
		return err
	})
	if err != nil {
		return nil, err
	}
	reply, err := t.exchange(adu, body, timing)
	if err != nil {
		return nil, err
	}
	t.doubts.Answered(unit)
	return reply, nil
}

// exchange sends a request to one unit and waits for its reply. From the first
// byte sent the unit is in doubt.
func (t *Transport) exchange(adu, body []byte, timing modbus.Timing) ([]byte, error) {
	unit := modbus.UnitID(body[0])
	shape, err := modbus.ShapeOf(modbus.Function(body[1]), body[2:])
	if err != nil {
		return nil, &modbus.Error{Fault: modbus.Unsupported, Unit: unit, Err: err}
	}
	if err := t.silence(unit, timing); err != nil {
		return nil, err
	}
	sent, err := t.send(unit, adu, timing)
	if err != nil {
		return nil, err
	}
	r := reception{unit: unit, shape: shape, timing: timing, first: sent.Add(timing.Timeout), earliest: sent.Add(timing.MinDelay)}
	r.end = r.first.Add(2*t.line.Chars(modbus.MaxASCII) + hole)
	if timing.MinDelay == 0 {
		r.earliest = time.Time{} // a pseudo-terminal or a network is faster than the line
	}
	if t.echo {
		r.echo = adu
	}
	reply, err := t.receive(&r)
	if err == nil {
		t.took = max(0, r.begin.Sub(sent))
	}
	return reply, err
}

// broadcast sends a request that nobody answers and gives the units time to act.
func (t *Transport) broadcast(adu []byte, timing modbus.Timing) error {
	if err := t.silence(modbus.Broadcast, timing); err != nil {
		return err
	}
	sent, err := t.send(modbus.Broadcast, adu, timing)
	if err != nil {
		return err
	}
	for until := sent.Add(turnaround); ; {
		wait := time.Until(until)
		if wait <= 0 {
			return nil
		}
		if _, err := t.read(wait); err != nil {
			return medium(modbus.Broadcast, err)
		}
	}
}
