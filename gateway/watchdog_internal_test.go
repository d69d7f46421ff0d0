package gateway

import (
	"log/slog"
	"slices"
	"testing"

	"sluice/gateway/progress"
	"sluice/gateway/status"
)

// loop is a part of which the test marks the turns.
type loop struct {
	turns progress.Turns
	name  string
}

func (l *loop) String() string { return l.name }
func (l *loop) Turns() uint64  { return l.turns.Count() }

func TestWatchdog(t *testing.T) {
	g := &Gateway{log: slog.New(slog.DiscardHandler), board: status.NewBoard()}
	w := newWatchdog(g)
	w.looks, w.die = looks{stuck: 2, hopeless: 4}, func(why string) { t.Error("ended:", why) }
	a, b := &loop{name: "a"}, &loop{name: "b"}
	parts := []worker{a, b}
	look := func(stuck ...string) {
		t.Helper()
		w.look(parts)
		if got := *g.stuck.Load(); !slices.Equal(got, stuck) {
			t.Errorf("stuck are %q, want %q", got, stuck)
		}
	}
	for range 5 { // waiting is no crime, nor is work
		look()
	}
	for range 5 {
		a.turns.Begin()
		look()
		a.turns.End()
	}
	a.turns.Begin()
	b.turns.Begin()
	look()
	look()
	b.turns.End()
	look("a")
	a.turns.End()
	look()
	a.turns.Begin()
	look()
	look()
	look("a")
	parts = parts[1:] // a was replaced
	look()
}

func TestWatchdogGivesUp(t *testing.T) {
	g := &Gateway{log: slog.New(slog.DiscardHandler), board: status.NewBoard()}
	w := newWatchdog(g)
	dead := 0
	w.looks, w.die = looks{stuck: 2, hopeless: 4}, func(string) { dead++ }
	a := &loop{name: "a"}
	a.turns.Begin()
	for n := range 5 {
		if dead != 0 {
			t.Errorf("ended after %d looks", n)
		}
		w.look([]worker{a})
	}
	if dead != 1 {
		t.Error("the process goes on with a part that hangs")
	}
}
