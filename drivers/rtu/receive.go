package rtu

import (
	"bytes"
	"time"

	"sluice/drivers/modbus"
)

// slack is how early a sleep through the known part of a frame ends: a timer may
// fire 1 ms late, the read timeout of a port less than 0.1 ms.
const slack = time.Millisecond

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
	return bytes.Clone(frame), nil
}

// search reads until the reply is there. It wakes for the first byte, once or
// twice on the way, and at the end, but not for every byte.
func (t *Transport) search(r *reception, w window) (frame []byte, err error) {
	for stopped := false; ; {
		frame, missing := r.scan(stopped)
		if frame != nil {
			return frame, nil
		}
		begun, until, last := len(r.buf) > 0, w.first, w.first
		if begun {
			t.sleepUntil(t.quiet.Add(t.line.Chars(missing) - slack))
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

// creditFIFO moves quiet back when the end of a reply sat in the receiver. UARTs
// hand over a part-filled FIFO after four characters of silence: waiting t3.5
// from there on wastes up to a tenth of the line. Bytes that came in lumps and
// without a hole were on the wire by the computed end.
func (t *Transport) creditFIFO(r *reception, size int) {
	if r.lump < fifo || len(r.buf) > size {
		return
	}
	end := r.first.Add(t.line.Chars(size - r.lump))
	if late := t.quiet.Sub(end); late > 0 {
		t.quiet = t.quiet.Add(-min(late, t.line.Chars(4)))
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

// sleepUntil waits for what cannot be complete sooner. Less than two
// milliseconds are not worth a timer.
func (t *Transport) sleepUntil(at time.Time) {
	if d := time.Until(at); t.paced && d >= 2*slack {
		t.sleep.Reset(d)
		<-t.sleep.C
	}
}
