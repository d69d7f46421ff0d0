package publish

import (
	"math"
	"time"

	"sluice/mapping"
	"sluice/mapping/point"
)

// gate decides which readings of one point are published. Times are those of the
// readings, so that what is published does not depend on when it is.
//
// The first reading passes, and so does every change of quality or reason, at
// once; a bad reading says nothing else. Then min_interval holds back what comes
// too early, max_interval lets through what has been the same for so long, and
// the deadband judges the rest. A swinging door stands in place of deadband and
// min_interval.
type gate struct {
	rule  mapping.Report
	every time.Duration // period of the point

	any  bool
	last point.Reading // published
	door door
}

// passed are the readings to publish, the oldest first.
type passed struct {
	readings [2]point.Reading
	n        int
}

func (p *passed) add(r point.Reading) {
	p.readings[p.n] = r
	p.n++
}

func (p *passed) all() []point.Reading { return p.readings[:p.n] }

// pass takes the next reading.
func (g *gate) pass(r point.Reading) (out passed) {
	swings := g.rule.When == mapping.OnChange && g.rule.Swing > 0
	switch {
	case !g.any || r.Quality != g.last.Quality || r.Reason != g.last.Reason:
		if held, ok := g.door.open(); ok {
			out.add(held)
		}
	case r.Quality != point.Bad && swings && isNumber(r.Value):
		g.swing(r, &out)
		return out
	case !g.due(r):
		return out
	}
	g.publish(r, &out)
	return out
}

// flush returns the reading that a swinging door holds back.
func (g *gate) flush() (point.Reading, bool) { return g.door.open() }

func (g *gate) publish(r point.Reading, out *passed) {
	out.add(r)
	g.any, g.last = true, r
	g.door = door{}
}

// due reports whether a reading of the same quality as the one before passes.
func (g *gate) due(r point.Reading) bool {
	since := r.Time.Sub(g.last.Time)
	switch {
	case g.repeats(since):
		return true
	case r.Quality == point.Bad:
		return false
	case since < g.rule.MinInterval-g.every/10: // polls are not quite regular
		return false
	case g.rule.When == mapping.Always:
		return true
	}
	return g.moved(r.Value)
}

// repeats reports whether this poll is the one nearest to the end of
// max_interval.
func (g *gate) repeats(since time.Duration) bool {
	return g.rule.MaxInterval > 0 && since >= g.rule.MaxInterval-g.every/2
}

// moved reports whether v differs from what was published last by more than the
// deadband; a step does by being one.
func (g *gate) moved(v point.Value) bool {
	switch {
	case g.rule.Steps:
		return v.Float() != 0
	case v == g.last.Value:
		return false
	}
	if g.rule.Deadband == 0 || !isNumber(v) || !isNumber(g.last.Value) {
		return true
	}
	from, to := g.last.Value.Float(), v.Float()
	band := g.rule.Deadband
	if g.rule.Percent {
		band *= math.Abs(from) / 100
	}
	// 20.3 is not more than 0.3 from 20.0, whatever the last binary digits say.
	dust := 1e-12 * max(math.Abs(from), math.Abs(to))
	return math.Abs(to-from) > band+dust
}

// swing takes a reading through the swinging door.
func (g *gate) swing(r point.Reading, out *passed) {
	if !g.door.fits(g.last, r) {
		held, _ := g.door.open()
		g.publish(held, out)
	}
	if g.repeats(r.Time.Sub(g.last.Time)) {
		g.publish(r, out)
		return
	}
	g.door.hold(g.last, r, g.rule.Swing)
}

func isNumber(v point.Value) bool {
	switch v.Kind() {
	case point.Int, point.Uint, point.Float:
		return true
	default:
		return false
	}
}
