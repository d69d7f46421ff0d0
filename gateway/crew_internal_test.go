package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func newPart(d *diary, name string, stops time.Duration) *part {
	return &part{name: name, diary: d, stops: stops, ready: make(chan struct{})}
}

// runCrew runs a crew in a bubble, and returns how to end it.
func runCrew(t *testing.T, c *crew) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	synctest.Wait()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestMembersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		a, b, late := newPart(d, "a", time.Second), newPart(d, "b", time.Second), newPart(d, "late", time.Second)
		c := newCrew("crew", slog.New(slog.DiscardHandler))
		a.starts = time.Second
		c.add(a)
		c.add(b)
		stop := runCrew(t, c)
		<-c.Ready()
		c.add(late)
		synctest.Wait()
		before := time.Now()
		if err := c.remove(a); err != nil || time.Since(before) != time.Second {
			t.Errorf("removed after %v: %v", time.Since(before), err)
		}
		if err := c.remove(a); err != nil {
			t.Errorf("removed twice: %v", err)
		}
		before = time.Now()
		if err := stop(); err != nil || time.Since(before) != time.Second {
			t.Errorf("ended after %v, all at once takes 1s: %v", time.Since(before), err)
		}
		if want := []string{"b ready", "a ready", "late ready", "a stopped"}; !slices.Equal(d.lines[:4], want) {
			t.Errorf("%q, want %q", d.lines, want)
		}
	})
}

func TestAFailureOfAMemberEndsTheCrew(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			broken := errors.New("broken")
			d := &diary{}
			bad := newPart(d, "bad", 0)
			bad.fails = broken
			c := newCrew("crew", slog.New(slog.DiscardHandler))
			c.add(newPart(d, "good", 0))
			if !late {
				c.add(bad)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Run(t.Context()) }()
			synctest.Wait()
			if late {
				c.add(bad)
			}
			if err := <-ended; !errors.Is(err, broken) {
				t.Errorf("%v, want broken", err)
			}
			if !slices.Contains(d.lines, "good stopped") {
				t.Error("the others go on")
			}
		})
	}
}
