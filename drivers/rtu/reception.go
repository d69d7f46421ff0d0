package rtu

import (
	"errors"
	"fmt"
	"time"

	"sluice/drivers/modbus"
)

// noise is how many stray bytes are a glitch rather than a reply gone wrong:
// transceivers drop one or two when they change direction.
const noise = minFrame - 1

// fifo is how many bytes a first Read must bring to tell that a receiver hands
// them over in lumps, fifoHolds for how many characters of silence it then keeps
// fewer back.
const (
	fifo      = 4
	fifoHolds = 4
)

var (
	errDamaged = errors.New("the reply arrived damaged")
	errOther   = errors.New("the unit answered something else")
)

// reception is the search for one reply in what arrives.
type reception struct {
	want  shape
	buf   []byte // what may still become the reply
	first time.Time
	lump  int // bytes that came at first, when they are the start of the reply

	broken  bool // a reply began, but was damaged or stopped
	other   bool // the unit sent a whole frame that is not the reply
	stray   int  // bytes that belong to no frame
	foreign int  // bytes of whole frames that are not ours
}

// add takes the n bytes just read behind buf.
func (r *reception) add(n int, now time.Time) {
	if len(r.buf) == 0 {
		r.first, r.lump = now, n
	}
	r.buf = r.buf[:len(r.buf)+n]
}

// scan searches for the reply and drops what cannot belong to it. Without one it
// returns how many bytes are missing at least. When the line has stopped within
// a frame, nothing incomplete can become one any more.
func (r *reception) scan(stopped bool) (frame []byte, missing int) {
	for at := 0; at < len(r.buf); {
		v, size := r.want.judge(r.buf[at:], stopped)
		switch {
		case v == accepted:
			r.drop(at)
			return r.buf[:size], 0
		case v == incomplete && !stopped:
			r.drop(at)
			return nil, size - len(r.buf)
		case v == incomplete:
			r.broken = r.broken || len(r.buf)-at > 1
		case v == damaged:
			r.broken = true
		}
		if n := foreignFrame(r.buf[at:]); n > 0 {
			r.other = r.other || r.buf[at] == r.want.unit
			r.foreign += n
			at += n
			continue
		}
		r.stray++
		at++
	}
	r.drop(len(r.buf))
	return nil, 0
}

// drop removes the first n bytes of buf.
func (r *reception) drop(n int) {
	if n > 0 {
		r.lump = 0
	}
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
}

// failure says why there is no reply.
func (r *reception) failure(w window) error {
	e := &modbus.Error{Fault: modbus.Silent, Unit: w.unit}
	switch {
	case r.broken, len(r.buf) > 1:
		e.Fault, e.Err = modbus.Frame, errDamaged
	case r.stray > noise:
		e.Fault, e.Err = modbus.Frame, fmt.Errorf("%d bytes that are no reply: noise, or another speed or parity", r.stray)
	case r.other:
		e.Fault, e.Err = modbus.Frame, errOther
	case r.foreign > 0:
		e.Err = fmt.Errorf("no reply within %v, but frames of others", w.timeout)
	default:
		e.Err = fmt.Errorf("no reply within %v", w.timeout)
	}
	return e
}
