package ascii

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/drivers/modbus"
)

var (
	errNeverSilent = errors.New("the line is never silent: another master, or missing bias resistors")
	errNoEcho      = errors.New("the request did not come back: the adapter does not echo, or the line is shorted")
	errEcho        = errors.New("what came back is not the request: somebody else is sending, or the adapter does not echo")
	errDamaged     = errors.New("the reply arrived damaged")
)

// noise is how many stray bytes are a glitch rather than a reply gone wrong.
const noise = 3

// silence drops what is still to be read, until nothing has come for t3.5 and the
// device's gap. A line that babbles fails after one timeout.
func (t *Transport) silence(unit modbus.UnitID, timing modbus.Timing) error {
	gap := t.line.Silence() + timing.Gap
	giveUp := time.Now().Add(gap + max(timing.Timeout, 10*t.line.Silence()))
	for {
		got, err := t.read(max(0, time.Until(t.quiet.Add(gap))))
		switch {
		case err != nil:
			return medium(unit, err)
		case len(got) == 0:
			return nil
		case !time.Now().Before(giveUp):
			return &modbus.Error{Fault: modbus.Frame, Unit: unit, Err: errNeverSilent}
		}
	}
}

// send writes the request. sent is when its last character leaves, computed
// because drivers tell no more than that their buffer is empty.
func (t *Transport) send(unit modbus.UnitID, adu []byte, timing modbus.Timing) (sent time.Time, err error) {
	sent = time.Now().Add(t.line.Chars(len(adu)))
	t.quiet = sent
	t.doubts.Asked(unit, sent, timing)
	n, err := t.port.Write(adu)
	if err == nil && n < len(adu) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return sent, medium(unit, err)
	}
	return sent, nil
}

// reception is the wait for one reply.
type reception struct {
	unit     modbus.UnitID
	shape    modbus.Shape
	timing   modbus.Timing
	echo     []byte    // still to come back
	earliest time.Time // what is there sooner is no reply
	first    time.Time // the reply has begun by then
	end      time.Time // and ended by then

	scanner
	begin  time.Time // of the frame under way
	broken bool      // a frame arrived damaged
	others int       // whole frames that are not the reply
}

// receive waits for the reply and returns a copy of it.
func (t *Transport) receive(r *reception) ([]byte, error) {
	for {
		until := r.first
		if r.begun() {
			until = t.quiet.Add(hole)
			if until.After(r.end) {
				until = r.end
			}
		}
		wait := time.Until(until)
		if wait <= 0 || r.broken && !r.begun() {
			return nil, r.failure()
		}
		got, err := t.read(wait)
		if err != nil {
			return nil, medium(r.unit, err)
		}
		if reply, err := r.take(got, t.line); reply != nil || err != nil {
			return reply, err
		}
	}
}

// take searches what has just arrived for the reply.
func (r *reception) take(got []byte, line modbus.Line) ([]byte, error) {
	now := time.Now()
	for i, b := range got {
		if b == ':' {
			r.begin = now.Add(-line.Chars(len(got) - i))
		}
		frame := r.feed(b)
		switch {
		case frame == nil:
		case r.echo != nil && !bytes.Equal(frame, r.echo):
			return nil, &modbus.Error{Fault: modbus.Frame, Unit: r.unit, Err: errEcho}
		case r.echo != nil:
			r.echo = nil
		case now.Before(r.earliest):
			r.others++
		case r.accepts(frame):
			return bytes.Clone(frame), nil
		}
	}
	return nil, nil
}

// accepts reports whether a frame is the reply, and notes what else it is.
func (r *reception) accepts(frame []byte) bool {
	body, err := modbus.DecodeASCII(frame)
	if err != nil {
		r.broken = true
		return false
	}
	size, ok := r.shape.Match(modbus.Function(body[1]), body[2:])
	if modbus.UnitID(body[0]) == r.unit && ok && size == len(body)-2 {
		return true
	}
	r.others++
	return false
}

// failure says why there is no reply.
func (r *reception) failure() error {
	e := &modbus.Error{Fault: modbus.Silent, Unit: r.unit}
	switch {
	case r.echo != nil:
		e.Fault, e.Err = modbus.Frame, errNoEcho
	case r.broken, r.begun(), r.cut > 0:
		e.Fault, e.Err = modbus.Frame, errDamaged
	case r.stray > noise:
		e.Fault, e.Err = modbus.Frame, fmt.Errorf("%d bytes that are no reply: noise, another speed or format, or RTU", r.stray)
	case r.others > 0:
		e.Err = fmt.Errorf("no reply within %v, but frames of others", r.timing.Timeout)
	default:
		e.Err = fmt.Errorf("no reply within %v", r.timing.Timeout)
	}
	return e
}

// read waits up to d for bytes, valid until the next read, and notes when they
// came.
func (t *Transport) read(d time.Duration) ([]byte, error) {
	if err := t.port.SetReadTimeout(d); err != nil {
		return nil, err
	}
	n, err := t.port.Read(t.buf[:])
	if n > 0 {
		t.quiet = time.Now()
	}
	return t.buf[:n], err
}

func medium(unit modbus.UnitID, err error) error {
	return &modbus.Error{Fault: modbus.Medium, Unit: unit, Err: err}
}
