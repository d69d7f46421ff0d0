package mapping

import (
	"math"
	"strconv"

	"sluice/mapping/point"
)

// Range is what a value must lie in to be plausible. One outside of it is
// uncertain: it is what the device said, and hardly true.
type Range struct {
	Min, Max   float64 // an infinity for none
	low, high  string  // the reasons, made once
	restricted bool
}

func newRange(lo, hi float64) Range {
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return Range{lo, hi, "below " + text(lo), "above " + text(hi), true}
}

// doubt returns why v is implausible; empty when it is not.
func (r *Range) doubt(v point.Value) string {
	switch f := v.Float(); {
	case !r.restricted || math.IsNaN(f):
		return ""
	case f < r.Min:
		return r.low
	case f > r.Max:
		return r.high
	default:
		return ""
	}
}

// readRange reads min and max, for numbers only.
func readRange(m Map, kind point.Kind) Range {
	lowest, highest := m.Get("min"), m.Get("max")
	lo, hi := lowest.number(math.Inf(-1)), highest.number(math.Inf(1))
	given := lowest
	if !given.Present() {
		given = highest
	}
	switch {
	case !given.Present():
		return Range{}
	case kind == point.Text || kind == point.Bool:
		given.Problem("leave it out", "only a number has a least and a greatest value")
		return Range{}
	case lo >= hi:
		given.Problem("write the smaller number as min", "min %g is not below max %g", lo, hi)
		return Range{}
	}
	return newRange(lo, hi)
}
