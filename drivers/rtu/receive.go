package rtu

import (
	"time"

	"sluice/drivers/modbus"
)

// window bounds the wait for a reply to one request.
type window struct {
	unit     modbus.UnitID
	timeout  time.Duration
	sent     time.Time // the request is out
	earliest time.Time // what is there sooner began before that
	first    time.Time // the reply has begun by then
	end      time.Time // and ended by then
}

func (t *Transport) windowOf(adu []byte, sent time.Time, timing modbus.Timing) window {
	w := window{unit: modbus.UnitID(adu[0]), timeout: timing.Timeout, sent: sent, first: sent.Add(timing.Timeout)}
	if !t.paced {
		w.earliest = sent.Add(timing.MinDelay - t.line.Chars(len(adu)))
	} else {
		// The end of the request is computed, and clocks are up to 3 % apart.
		w.earliest = sent.Add(max(timing.MinDelay, t.line.Chars(1)) - t.line.Chars(len(adu))/32)
	}
	w.end = w.first.Add(2*t.line.Chars(maxFrame) + t.maxHole(0))
	return w
}

// maxHole is how long Read may stay without the missing bytes of a frame. A
// receiver's FIFO can hold them all back for four characters of silence.
func (t *Transport) maxHole(missing int) time.Duration {
	return max(t.hole, t.line.Chars(missing+6))
}

// receive waits for the reply and returns a copy of it.
func (t *Transport) receive(r *reception, w window) ([]byte, error) {
	frame, err := t.search(r, w)
	t.count.stray.Add(uint64(r.stray))
	t.count.foreign.Add(uint64(r.foreign))
	if err != nil {
		return nil, err
	}
	t.creditFIFO(r, len(frame))
	t.took = max(0, r.first.Sub(w.sent)-t.line.Chars(r.lump))
	return t.clone(frame), nil
}

// clone is bytes.Clone at a fraction of the allocations: many replies share one,
// which is there until the last of them is dropped.
func (t *Transport) clone(frame []byte) []byte {
	if len(t.spare) < len(frame) {
		t.spare = make([]byte, 16*maxFrame)
	}
	reply := t.spare[:len(frame):len(frame)]
	t.spare = t.spare[len(frame):]
	copy(reply, frame)
	return reply
}

// search reads until the reply is there. It wakes for the first byte and when the
// last one can be there; more only if the reply has holes.
func (t *Transport) search(r *reception, w window) (frame []byte, err error) {
	for stopped := false; ; {
		frame, missing := r.scan(stopped)
		if frame != nil {
			return frame, nil
		}
		begun, until, last := len(r.buf) > 0, w.first, w.first
		if begun {
			if err := t.pause(t.completeAt(r, missing).Add(-2 * t.lag)); err != nil {
				return nil, medium(w.unit, err)
			}
			until, last = t.quiet.Add(t.maxHole(missing)), w.end
		}
		if !time.Now().Before(last) || r.broken && !begun {
			return nil, r.failure(w)
		}
		n, err := t.read(r.buf[len(r.buf):cap(r.buf)], max(0, time.Until(until)))
		if err != nil {
			return nil, medium(w.unit, err)
		}
		stopped = n == 0
		switch {
		case stopped:
		case !begun && t.quiet.Before(w.earliest):
			t.count.early.Add(uint64(n))
			if t.quiet.Before(w.sent) {
				t.quiet = w.sent
			}
		default:
			r.add(n, t.quiet)
		}
	}
}

// endOf is when a reply of that size ends if it is at the start of what was
// received and has no hole.
func (t *Transport) endOf(r *reception, size int) time.Time {
	return r.first.Add(t.line.Chars(size - r.lump))
}

// completeAt is when a Read can bring the bytes that are missing, or some of them
// when their number is only the least.
func (t *Transport) completeAt(r *reception, missing int) time.Time {
	size := len(r.buf) + missing
	switch {
	case r.lump == 0: // the start was in the middle of what a Read brought
		return t.quiet.Add(t.line.Chars(missing / 2))
	case r.lump >= fifo && (size-r.lump)%r.lump > 0:
		return t.endOf(r, size+fifoHolds)
	default:
		return t.endOf(r, size)
	}
}

// creditFIFO moves quiet back when the end of a reply sat in the receiver. UARTs
// hand over a part-filled FIFO after four characters of silence: waiting t3.5
// from there on wastes up to a tenth of the line. Bytes that came in lumps and
// without a hole were on the wire by the computed end.
func (t *Transport) creditFIFO(r *reception, size int) {
	if r.lump < fifo || len(r.buf) > size {
		return
	}
	end := t.endOf(r, size)
	if late := t.quiet.Sub(end); late > 0 {
		t.quiet = t.quiet.Add(-min(late, t.line.Chars(fifoHolds)))
	}
}

// read waits up to d for bytes and notes when they came.
func (t *Transport) read(p []byte, d time.Duration) (int, error) {
	if err := t.port.SetReadTimeout(d); err != nil {
		return 0, err
	}
	n, err := t.port.Read(p)
	if n > 0 {
		t.quiet = time.Now()
	}
	return n, err
}

// pause waits for what cannot be complete sooner, and notes how much longer it
// took.
func (t *Transport) pause(until time.Time) error {
	d := time.Until(until)
	if t.pauser == nil || d <= 0 {
		return nil
	}
	err := t.pauser.Pause(d)
	t.lag += (min(time.Since(until), maxLag) - t.lag) / 8
	return err
}
