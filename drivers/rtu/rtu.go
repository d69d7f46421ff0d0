// Package rtu moves Modbus RTU frames over a serial port: silence, request,
// reply of exactly the expected shape. Its bar is that no value is ever wrong.
// A bus owns a Transport and gives it one request at a time; the package knows
// nothing of values, and keeps no queue.
package rtu

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
	// Virtual is a pseudo-terminal, on which characters take no time: a reply may
	// be there before the request could have left a UART.
	Virtual bool
	// Doubts outlives the transport when it is shared by those that follow each
	// other on one bus. nil: a transport begins without doubts.
	Doubts *Doubts
}

// What the protocol leaves open.
const (
	// turnaround is the pause after a broadcast, in which the units act on it
	// (Modbus over Serial Line V1.02, 2.4.1, has 100 to 200 ms).
	turnaround = 100 * time.Millisecond
	// minHole is the longest silence inside a frame that is put up with. The
	// standard's 1.5 characters never survive the latency timer of a USB adapter.
	minHole = 40 * time.Millisecond
	// minWindow is how long after a missed timeout a reply may still come.
	minWindow = time.Second
)

// Transport performs exchanges on one port. It has one user at a time, Stats
// apart.
type Transport struct {
	port   Port
	line   modbus.Line
	echo   bool
	paced  bool // characters take their time
	doubts *Doubts

	quiet time.Time // when the line fell silent, or will when our request is out
	sleep *time.Timer
	took  time.Duration // from the last request to its reply
	buf   [512]byte     // twice the longest frame
	count counters
}

// New returns a transport on p, which it owns from then on.
func New(p Port, cfg Config) *Transport {
	t := &Transport{port: p, line: cfg.Line, echo: cfg.Echo, paced: !cfg.Virtual, doubts: cfg.Doubts, quiet: time.Now()}
	if t.doubts == nil {
		t.doubts = new(Doubts)
	}
	t.sleep = time.NewTimer(0)
	t.sleep.Stop()
	return t
}

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
	if err := t.settle(unit, timing); err != nil {
		return nil, err
	}
	reply, err := t.exchange(adu, want, timing)
	if err != nil {
		return nil, err
	}
	t.doubts.answered(unit)
	return reply, nil
}

// NotBefore returns the time before which Exchange would refuse a request to the
// unit; others can use the line until then. It is zero, or past, for most.
func (t *Transport) NotBefore(unit modbus.UnitID) time.Time {
	return t.doubts.units[unit].notBefore()
}

// Latency is how long the unit took from the end of the last request to the
// first byte of its reply, as far as the receiver tells; 0 after a broadcast or
// an exchange that failed. It is for the user of the transport.
func (t *Transport) Latency() time.Duration { return t.took }

// settle makes sure that no reply to an older request can be taken for one to
// the next.
func (t *Transport) settle(unit modbus.UnitID, timing modbus.Timing) error {
	switch d := &t.doubts.units[unit]; {
	case d.over(time.Now()):
		return nil
	case !d.wantsCanary():
		return inDoubt(unit, d.until)
	default:
		return t.canary(unit, timing)
	}
}

// canary asks the unit to repeat a number. A unit answers in order: with the
// number back, or refused by an exception, nothing older can come.
func (t *Transport) canary(unit modbus.UnitID, timing modbus.Timing) error {
	nonce := uint16(rand.Uint32())
	adu := append(make([]byte, 0, 8), byte(unit), byte(modbus.Diagnostics), 0, 0, byte(nonce>>8), byte(nonce))
	adu = modbus.AppendCRC(adu)
	want, err := shapeOf(adu)
	if err != nil {
		return err
	}
	t.count.canaries.Add(1)
	_, err = t.exchange(adu, want, timing)
	d := &t.doubts.units[unit]
	switch {
	case err == nil:
		d.settled()
		return nil
	case modbus.FaultOf(err) == modbus.Medium, errors.Is(err, errNeverSilent):
		return err // says nothing about the unit
	}
	t.count.lostCanaries.Add(1)
	if d.canaryLost() {
		return err // the unit is away, and the canary was the probe
	}
	return inDoubt(unit, d.until)
}

func inDoubt(unit modbus.UnitID, until time.Time) error {
	wait := time.Until(until).Round(time.Millisecond)
	return &modbus.Error{Fault: modbus.Silent, Unit: unit, Err: fmt.Errorf("%w for %v", modbus.ErrInDoubt, wait)}
}
