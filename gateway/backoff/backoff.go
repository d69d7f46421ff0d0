// Package backoff spaces out attempts at something that keeps failing: reopening
// a serial port, reaching a broker. Parts of every floor use it; it knows
// nothing of what is attempted.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Policy is how long to wait between attempts: Min before the second one,
// doubling up to Max. Both must be positive.
type Policy struct {
	Min, Max time.Duration
}

// Delay returns the wait after the attempt-th failure in a row, counted from 0:
// a random time between one half and the whole of Min·2^attempt, at most Max. A
// thousand gateways that lost the same broker so spread their return, and none
// of them tries again at once.
func (p Policy) Delay(attempt int) time.Duration {
	d := min(p.Min, p.Max)
	for range attempt {
		if d > p.Max/2 {
			d = p.Max
			break
		}
		d *= 2
	}
	return d - rand.N(d/2+1)
}

// Wait blocks for Delay(attempt). It returns nil, or the cause of ctx when that
// ended sooner.
func (p Policy) Wait(ctx context.Context, attempt int) error {
	timer := time.NewTimer(p.Delay(attempt))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
