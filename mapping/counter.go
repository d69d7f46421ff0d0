package mapping

import (
	"math"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// Counter says that a value only grows, until it begins at 0 again.
type Counter struct {
	Delta    bool    // the value is what was added since the last one
	Rollover float64 // the value at which it begins at 0 again; 0: never
}

// countFrom is the last value of a counter.
type countFrom struct {
	value point.Value
	known bool
}

// next takes the next value of a counter. One that falls from the last quarter of
// its range into the first has rolled over. Any other fall is a reset of the
// device, and the reading uncertain: what was counted in between is not known.
func (c *countFrom) next(counter *Counter, r *point.Reading) {
	last, known := c.value, c.known
	c.value, c.known = r.Value, true
	fell := known && below(r.Value, last)
	rolled := fell && last.Float() >= 0.75*counter.Rollover && last.Float() < counter.Rollover && r.Value.Float() < 0.25*counter.Rollover
	if fell && !rolled {
		r.Quality, r.Reason = point.Uncertain, "counter fell from "+last.String()
	}
	switch {
	case !counter.Delta:
	case !known:
		r.Value, r.Quality, r.Reason = point.Value{}, point.Bad, "no earlier count"
	case rolled:
		r.Value = added(layout.Difference(r.Value, last), counter.Rollover)
	case !fell:
		r.Value = layout.Difference(r.Value, last)
	} // else: what was counted since the reset
}

// below reports whether a is less than b, of the same kind, to the last bit.
func below(a, b point.Value) bool {
	switch a.Kind() {
	case point.Int:
		return a.Int() < b.Int()
	case point.Uint:
		return a.Uint() < b.Uint()
	default:
		return a.Float() < b.Float()
	}
}

// added returns v + n, in the kind of v.
func added(v point.Value, n float64) point.Value {
	switch v.Kind() {
	case point.Int:
		return point.IntValue(v.Int() + int64(n))
	case point.Uint:
		return point.UintValue(v.Uint() + uint64(n))
	default:
		return layout.Difference(v, point.FloatValue(-n))
	}
}

// readCounter reads whether the point counts; nil if it does not.
func readCounter(n Node, p *Point) *Counter {
	m := n.Map("as", "rollover")
	c := &Counter{Delta: m.Get("as").Choice("total", "delta") == "delta"}
	rollover := m.Get("rollover")
	c.Rollover = rollover.number(math.Inf(1))
	if !rollover.Present() {
		c.Rollover = p.Layout.Modulus()
	}
	switch {
	case !n.Present():
		return nil
	case !p.numeric() || p.Layout.Words() == 0:
		n.Problem("leave it out", "only a number in registers can count")
		return nil
	case c.Rollover < 0:
		rollover.Problem("write the value at which the counter begins at 0 again, in the point's unit", "a counter grows")
	}
	return c
}
