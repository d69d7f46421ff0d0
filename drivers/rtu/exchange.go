package rtu

import (
	"bytes"
	"errors"
	"io"
	"time"

	"sluice/drivers/modbus"
)

var (
	errNeverSilent = errors.New("the line is never silent: another master, or missing bias resistors")
	errNoEcho      = errors.New("the request did not come back: the adapter does not echo, or the line is shorted")
	errEcho        = errors.New("what came back is not the request: somebody else is sending, or the adapter does not echo")
)

// exchange sends a request to one unit and waits for its reply. From the first
// byte sent the unit is in doubt.
func (t *Transport) exchange(adu []byte, want shape, timing modbus.Timing) ([]byte, error) {
	unit := modbus.UnitID(adu[0])
	if err := t.silence(unit, timing); err != nil {
		return nil, err
	}
	sent, ahead, err := t.send(adu, timing)
	if err != nil {
		return nil, err
	}
	r := reception{want: want.on(t.line, modbus.Function(adu[1])), buf: t.buf[:0]}
	if ahead > 0 {
		r.add(ahead, t.quiet)
	}
	return t.receive(&r, t.windowOf(adu, sent, timing))
}

// broadcast sends a request that nobody answers and gives the units time to act.
func (t *Transport) broadcast(adu []byte, timing modbus.Timing) error {
	if err := t.silence(modbus.Broadcast, timing); err != nil {
		return err
	}
	sent, _, err := t.send(adu, timing)
	if err != nil {
		return err
	}
	for until := sent.Add(turnaround); ; {
		wait := time.Until(until)
		if wait <= 0 {
			return nil
		}
		n, err := t.read(t.buf[:], wait)
		if err != nil {
			return medium(modbus.Broadcast, err)
		}
		t.count.stray.Add(uint64(n))
	}
}

// silence reads until the line has been quiet for t3.5 and the device's gap. It
// proves the silence instead of assuming it: bytes that come now answer nobody,
// and it starts again. A line that babbles fails after one timeout.
func (t *Transport) silence(unit modbus.UnitID, timing modbus.Timing) error {
	gap := t.line.Silence() + timing.Gap
	giveUp := time.Now().Add(gap + max(timing.Timeout, minHole))
	for {
		n, err := t.read(t.buf[:], max(0, time.Until(t.quiet.Add(gap))))
		switch {
		case err != nil:
			return medium(unit, err)
		case n == 0:
			return nil
		case !time.Now().Before(giveUp):
			return &modbus.Error{Fault: modbus.Frame, Unit: unit, Err: errNeverSilent}
		}
		t.count.stray.Add(uint64(n))
	}
}

// send writes the request. sent is when its last byte leaves, computed because
// drivers tell no more than that their buffer is empty. ahead is how many bytes
// at the front of buf came behind an echo, in the same Read.
func (t *Transport) send(adu []byte, timing modbus.Timing) (sent time.Time, ahead int, err error) {
	unit := modbus.UnitID(adu[0])
	sent = time.Now().Add(t.lead + t.line.Chars(len(adu)))
	t.quiet = sent
	t.doubts.Asked(unit, sent, timing)
	n, err := t.port.Write(adu)
	if err == nil && n < len(adu) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return sent, 0, medium(unit, err)
	}
	if t.echo {
		ahead, err = t.awaitEcho(adu, sent)
	}
	return sent, ahead, err
}

// awaitEcho reads back what has been sent.
func (t *Transport) awaitEcho(adu []byte, sent time.Time) (ahead int, err error) {
	unit := modbus.UnitID(adu[0])
	if err := t.pause(sent); err != nil {
		return 0, medium(unit, err)
	}
	n := 0
	for deadline := sent.Add(t.maxHole(0)); n < len(adu); {
		wait := time.Until(deadline)
		if wait <= 0 {
			return 0, &modbus.Error{Fault: modbus.Frame, Unit: unit, Err: errNoEcho}
		}
		m, err := t.read(t.buf[n:], wait)
		if err != nil {
			return 0, medium(unit, err)
		}
		n += m
	}
	if !bytes.Equal(t.buf[:len(adu)], adu) {
		return 0, &modbus.Error{Fault: modbus.Frame, Unit: unit, Err: errEcho}
	}
	return copy(t.buf[:], t.buf[len(adu):n]), nil
}

func medium(unit modbus.UnitID, err error) error {
	return &modbus.Error{Fault: modbus.Medium, Unit: unit, Err: err}
}
