package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary notes what parts do, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// part is a task that is ready after a while and takes a while to stop.
type part struct {
	name   string
	diary  *diary
	starts time.Duration
	stops  time.Duration
	fails  error // if set, returned a second after it was ready
	ready  chan struct{}
}

func (p *part) String() string         { return p.name }
func (p *part) Ready() <-chan struct{} { return p.ready }

func (p *part) Run(ctx context.Context) error {
	time.Sleep(p.starts)
	p.diary.note(p.name + " ready")
	close(p.ready)
	if p.fails != nil {
		time.Sleep(time.Second)
		return p.fails
	}
	<-ctx.Done()
	time.Sleep(p.stops)
	p.diary.note(p.name + " stopped")
	return nil
}

func TestStages(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		parts []part
		after time.Duration // until the stop is asked for
		want  []string
		err   error
	}{
		{"starts in order, stops in reverse",
			[]part{{name: "a", starts: 2 * time.Second, stops: time.Second}, {name: "b", stops: time.Second}, {name: "c", stops: time.Second}}, time.Minute,
			[]string{"a ready", "b ready", "c ready", "all ready", "c stopped", "b stopped", "a stopped"}, nil},
		{"stops what has started",
			[]part{{name: "a"}, {name: "b", starts: time.Minute}, {name: "c"}}, time.Second,
			[]string{"a ready", "b ready", "b stopped", "a stopped"}, nil},
		{"a failure stops all",
			[]part{{name: "a"}, {name: "b", fails: broken}, {name: "c"}}, time.Minute,
			[]string{"a ready", "b ready", "c ready", "all ready", "c stopped", "a stopped"}, broken},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &diary{}
			var stages []stage
			for i := range tt.parts {
				p := &tt.parts[i]
				p.diary, p.ready = d, make(chan struct{})
				stages = append(stages, stage{p})
			}
			ctx, cancel := context.WithTimeout(t.Context(), tt.after)
			defer cancel()
			err := runStages(ctx, slog.New(slog.DiscardHandler), func() { d.note("all ready") }, stages...)
			if !errors.Is(err, tt.err) {
				t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
			}
			if !slices.Equal(d.lines, tt.want) {
				t.Errorf("%s: %q, want %q", tt.name, d.lines, tt.want)
			}
		})
	}
}

type deserter struct{ part }

func (d *deserter) Run(context.Context) error { return nil }

func TestATaskThatEndsByItselfIsAFailure(t *testing.T) {
	d := &deserter{part{name: "deserter", ready: make(chan struct{})}}
	err := runStages(t.Context(), slog.New(slog.DiscardHandler), func() {}, stage{d})
	if err == nil || err.Error() != "deserter: stopped by itself" {
		t.Errorf("error %v, want one that names the task", err)
	}
}
