// Package rtu moves Modbus RTU frames over a serial port: silence, request,
// reply of exactly the expected shape. Its bar is that no value is ever wrong.
// A bus owns a Transport and gives it one request at a time; the package knows
// nothing of values, and keeps no queue.
package rtu

import (
	"errors"
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

// pauser is a Port that can wait whatever arrives, as exactly as Read does. From
// others, and where characters take no time, frames are read as they come.
type pauser interface {
	Pause(time.Duration) error
}

// Config describes the bus behind a port.
type Config struct {
	Line modbus.Line
	Echo bool // the adapter returns what is sent; it is compared byte by byte
	// Virtual is a pseudo-terminal or a network, on which characters take no time
	// or an unknown one: a reply may be there before the request could have left a
	// UART, and comes as it likes.
	Virtual bool
	// Jitter is how long what lies between may hold back the next characters of a
	// frame; 40 ms when it is shorter.
	Jitter time.Duration
	Lead   time.Duration // from Write to the first bit: the port's RTS delay
	// Doubts outlives the transport when it is shared by those that follow each
	// other on one bus. nil: a transport begins without doubts.
	Doubts *modbus.Doubts
}

// What the protocol leaves open.
const (
	// turnaround is the pause after a broadcast, in which the units act on it
	// (Modbus over Serial Line V1.02, 2.4.1, has 100 to 200 ms).
	turnaround = 100 * time.Millisecond
	// minHole is the longest silence inside a frame that is put up with. The
	// standard's 1.5 characters never survive the latency timer of a USB adapter.
	minHole = 40 * time.Millisecond
	// maxLag is more than a machine that is not overloaded takes to wake a program.
	maxLag = 200 * time.Microsecond
)

// Transport performs exchanges on one port. It has one user at a time, Stats
// apart.
type Transport struct {
	port   Port
	pauser pauser // nil: see there
	line   modbus.Line
	echo   bool
	paced  bool // characters take their time
	hole   time.Duration
	lead   time.Duration
	doubts *modbus.Doubts

	lag   time.Duration // by which this program wakes late, on average
	quiet time.Time     // when the line fell silent, or will when our request is out
	took  time.Duration // from the last request to its reply
	buf   [512]byte     // twice the longest frame
	spare []byte        // for replies to come
	count counters
}

// New returns a transport on p, which it owns from then on.
func New(p Port, cfg Config) *Transport {
	t := &Transport{
		port: p, line: cfg.Line, echo: cfg.Echo, paced: !cfg.Virtual, hole: max(minHole, cfg.Jitter), lead: cfg.Lead,
		doubts: cfg.Doubts, quiet: time.Now(),
	}
	if t.doubts == nil {
		t.doubts = new(modbus.Doubts)
	}
	if t.paced {
		t.pauser, _ = p.(pauser)
	}
	return t
}

// Framing is modbus.RTU.
func (t *Transport) Framing() modbus.Framing { return modbus.RTU }

// Close closes the port.
func (t *Transport) Close() error { return t.port.Close() }

// Exchange sends the frame adu and returns the reply, which may be an exception.
// Before a request to a unit that may still answer an older one it sends a
// canary; where that is no help the request is not sent, the error wraps
// modbus.ErrInDoubt, and NotBefore says when to come again. Every wait is
// bounded, also on a line that babbles.
func (t *Transport) Exchange(adu []byte, timing modbus.Timing) ([]byte, error) {
	want, err := shapeOf(adu)
	if err != nil {
		return nil, &modbus.Error{Fault: modbus.Unsupported, Err: err}
	}
	unit := modbus.UnitID(adu[0])
	t.took = 0
	if unit == modbus.Broadcast {
		return nil, t.broadcast(adu, timing)
	}
	err = t.doubts.Settle(unit, func(canary []byte) error { return t.canary(canary, timing) })
	if err != nil {
		return nil, err
	}
	reply, err := t.exchange(adu, want, timing)
	if err != nil {
		return nil, err
	}
	t.doubts.Answered(unit)
	return reply, nil
}

// NotBefore returns the time before which Exchange would refuse a request to the
// unit; others can use the line until then. It is zero, or past, for most.
func (t *Transport) NotBefore(unit modbus.UnitID) time.Time { return t.doubts.NotBefore(unit) }

// Latency is how long the unit took from the end of the last request to the
// first byte of its reply, as far as the receiver tells; 0 after a broadcast or
// an exchange that failed. It is for the user of the transport.
func (t *Transport) Latency() time.Duration { return t.took }

// canary performs the exchange that settles a doubt.
func (t *Transport) canary(body []byte, timing modbus.Timing) error {
	adu := modbus.AppendCRC(body)
	want, err := shapeOf(adu)
	if err != nil {
		return err
	}
	t.count.canaries.Add(1)
	_, err = t.exchange(adu, want, timing)
	if f := modbus.FaultOf(err); f == modbus.Silent || f == modbus.Frame && !errors.Is(err, errNeverSilent) {
		t.count.lostCanaries.Add(1)
	}
	return err
}
