package backoff_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/backoff"
)

func TestDelayDoublesUpToMax(t *testing.T) {
	p := backoff.Policy{Min: 500 * time.Millisecond, Max: time.Minute}
	for _, tt := range []struct {
		attempt int
		most    time.Duration
	}{
		{-1, 500 * time.Millisecond},
		{0, 500 * time.Millisecond},
		{1, time.Second},
		{2, 2 * time.Second},
		{6, 32 * time.Second},
		{7, time.Minute},
		{8, time.Minute},
		{math.MaxInt, time.Minute},
	} {
		lo, hi := time.Duration(math.MaxInt64), time.Duration(0)
		for range 1000 {
			d := p.Delay(tt.attempt)
			lo, hi = min(lo, d), max(hi, d)
		}
		if lo < tt.most/2 || hi > tt.most {
			t.Errorf("attempt %d: delays %v to %v, want %v to %v", tt.attempt, lo, hi, tt.most/2, tt.most)
		}
		if hi-lo < tt.most/4 {
			t.Errorf("attempt %d: delays %v to %v are not spread", tt.attempt, lo, hi)
		}
	}
}

func TestDelayAtTheLimits(t *testing.T) {
	for _, p := range []backoff.Policy{
		{Min: time.Minute, Max: time.Second}, // Max wins
		{Min: 1, Max: 1},
		{Min: 1, Max: math.MaxInt64},
	} {
		if d := p.Delay(200); d < p.Max/2 || d > p.Max {
			t.Errorf("%+v: Delay = %v", p, d)
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := backoff.Policy{Min: time.Second, Max: time.Minute}
		start := time.Now()
		if err := p.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < time.Second || d > 2*time.Second {
			t.Errorf("waited %v, want 1 s to 2 s", d)
		}
		stopping := errors.New("stopping")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(stopping)
		start = time.Now()
		if err := p.Wait(ctx, 9); !errors.Is(err, stopping) || time.Since(start) != 0 {
			t.Errorf("Wait on an ended context = %v after %v", err, time.Since(start))
		}
	})
}
