package gateway

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"sluice/gateway/service"
	"sluice/gateway/status"
)

// How long a part may be at the same piece of work until it counts as stuck, and
// until there is no hope. Nothing that a part does by itself takes a minute and a
// half: an exchange has 30 s for the first byte, a frame of the greatest length takes
// 19 s at 300 baud, and a session on the slowest kind of link 60 s to begin.
const (
	stuckAfter    = 90 * time.Second
	hopelessAfter = 120 * time.Second
)

// looks are these times in looks: a machine that stood still has not looked.
type looks struct{ stuck, hopeless int }

// worker is a part with a loop of its own. Turns counts as progress.Turns does.
type worker interface {
	fmt.Stringer
	Turns() uint64
}

// watchdog looks whether every part makes progress. While all do it feeds the
// watchdog of the service manager; when one does not it ends the process, since a
// part that hangs can be stopped by nothing else.
type watchdog struct {
	gw    *Gateway
	looks looks
	every time.Duration
	die   func(why string)

	seen  map[worker]sight
	stuck []string
}

// sight is what a part was seen at, and how many times in a row.
type sight struct {
	turns uint64
	times int
}

func newWatchdog(g *Gateway) *watchdog {
	every := time.Second
	if p := g.opt.Service.Patience(); p > 0 {
		every = min(every, p/3)
	}
	return &watchdog{gw: g, looks: looks{int(stuckAfter / every), int(hopelessAfter / every)}, every: every, die: die, seen: map[worker]sight{}}
}

// die ends the process with the stacks of all goroutines, which say what hangs.
func die(why string) {
	debug.SetTraceback("all")
	panic(why)
}

// String returns the watchdog's name in logs.
func (w *watchdog) String() string { return "watchdog" }

// Run looks at every part until ctx is cancelled.
func (w *watchdog) Run(ctx context.Context) error {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		w.look(w.gw.workers())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look compares every part with what it was seen at last.
func (w *watchdog) look(all []worker) {
	seen, stuck, hopeless := map[worker]sight{}, []string(nil), false
	for _, p := range all {
		s := sight{turns: p.Turns()}
		if before, ok := w.seen[p]; ok && s.turns%2 == 1 && s.turns == before.turns {
			s.times = before.times + 1
		}
		if s.times >= w.looks.stuck {
			stuck = append(stuck, p.String())
		}
		hopeless = hopeless || s.times >= w.looks.hopeless
		seen[p] = s
	}
	w.seen = seen
	w.tell(stuck)
	if hopeless {
		w.gw.opt.Service.Hopeless()
		w.die("no progress for minutes, the process must be replaced: " + strings.Join(stuck, ", "))
	}
}

// tell logs what has changed, and feeds the watchdog of the service manager.
func (w *watchdog) tell(stuck []string) {
	g := w.gw
	for _, name := range stuck {
		if !slices.Contains(w.stuck, name) {
			g.log.Error("a part makes no progress", "part", name)
		}
	}
	for _, name := range w.stuck {
		if !slices.Contains(stuck, name) {
			g.log.Info("a part makes progress again", "part", name)
		}
	}
	w.stuck = stuck
	g.stuck.Store(&stuck)
	if len(stuck) > 0 {
		g.opt.Service.Status("no progress: " + strings.Join(stuck, ", "))
		return
	}
	g.opt.Service.Alive()
	if s := g.board.Snapshot(); s.Ready {
		g.opt.Service.Status(summary(s))
	}
}

// summary is how the gateway does, in a line.
func summary(s status.Snapshot) string {
	online, connected := 0, 0
	for _, d := range s.Devices {
		if d.State == "online" {
			online++
		}
	}
	for _, b := range s.Bridges {
		if b.Connected {
			connected++
		}
	}
	return fmt.Sprintf("%d of %d devices online, %d of %d bridges connected", online, len(s.Devices), connected, len(s.Bridges))
}

// workers are the parts that can hang. To ask each for its state, as the surveyor
// does, takes the locks of the others.
func (g *Gateway) workers() []worker {
	lines, relays := g.parts()
	all := []worker{g.surveyor, g.publish}
	for _, l := range lines {
		all = append(all, l.bus, l.polling())
	}
	for _, r := range relays {
		all = append(all, r.Bridge)
	}
	return all
}

// readiness tells the service manager that all stages before it run, and later that
// they are about to end.
type readiness struct{ manager *service.Manager }

// String returns its name in logs.
func (readiness) String() string { return "readiness" }

// Run waits until ctx is cancelled.
func (r readiness) Run(ctx context.Context) error {
	r.manager.Ready()
	<-ctx.Done()
	r.manager.Stopping()
	return nil
}
