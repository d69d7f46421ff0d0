package sim

import (
	"time"

	"sluice/drivers/modbus"
)

// Adapter is how received characters reach the host. The zero value is the
// common UART: a FIFO that reports at 8 characters, or at 4 characters of
// silence.
type Adapter struct {
	Trigger int // characters that are reported at once; 0: 8, 1: every one
	Idle    int // characters of silence after which fewer are reported; 0: 4

	// Period, if set, replaces Idle: characters are reported at every multiple of it,
	// as the latency timer of a USB adapter does. FTDI: 16 ms, with Trigger 62.
	Period time.Duration
}

func (a Adapter) trigger() int {
	if a.Trigger == 0 {
		return 8
	}
	return a.Trigger
}

func (a Adapter) idle() int {
	if a.Idle == 0 {
		return 4
	}
	return a.Idle
}

// report returns when the adapter next reports, and how many characters, if left
// more of them follow each other from start on.
func (a Adapter) report(l modbus.Line, start time.Duration, left int) (at time.Duration, n int) {
	n = min(left, a.trigger())
	at = start + l.Chars(n)
	switch {
	case a.Period > 0:
		first := start + l.Chars(1)
		tick := (first + a.Period - 1) / a.Period * a.Period
		if n < a.trigger() || tick < at {
			at = tick
			n = min(n, max(1, int((tick-start)/l.Chars(1))))
		}
	case n < a.trigger():
		at += l.Chars(a.idle())
	}
	return at, n
}
