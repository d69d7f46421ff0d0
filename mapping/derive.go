package mapping

import (
	"slices"

	"sluice/mapping/formula"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// derivation is a point that is computed from others, and what is known of them.
type derivation struct {
	*Point
	device string
	ids    []string
	inputs []point.Reading // the last of each
	fresh  []bool          // read since the point was computed last
	values []point.Value   // of inputs, for the formula
}

func newDerivation(device string, p *Point) *derivation {
	ids := p.Formula.Inputs()
	n := len(ids)
	return &derivation{p, device, ids, make([]point.Reading, n), make([]bool, n), make([]point.Value, n)}
}

// take notes the inputs among news, and returns a reading when there is one.
func (x *derivation) take(news []point.Reading) (r point.Reading, ok bool) {
	lost := false
	for _, in := range news {
		if i := slices.Index(x.ids, in.Point); i >= 0 {
			x.inputs[i], x.fresh[i] = in, true
			lost = lost || in.Quality == point.Bad || in.Quality == point.Stale
		}
	}
	if !lost && slices.Contains(x.fresh, false) {
		return point.Reading{}, false
	}
	clear(x.fresh)
	return x.compute(), true
}

// compute returns the point as good as the worst of its inputs, and as late as the
// last of them.
func (x *derivation) compute() point.Reading {
	r := point.Reading{Device: x.device, Point: x.ID, Unit: x.Unit}
	for i, in := range x.inputs {
		if in.Quality > r.Quality {
			r.Quality, r.Reason = in.Quality, in.Point+": "+in.Reason
		}
		if in.Time.After(r.Time) {
			r.Time = in.Time
		}
		x.values[i] = in.Value
	}
	unread := slices.IndexFunc(x.inputs, func(in point.Reading) bool { return in.Value.Kind() == point.None })
	if unread >= 0 && r.Quality != point.Bad {
		r.Quality, r.Reason = point.Bad, x.ids[unread]+": not read yet"
	}
	if r.Quality == point.Bad {
		return r
	}
	v, err := x.Formula.Eval(x.values)
	if err != nil {
		r.Quality, r.Reason = point.Bad, err.Error()
		return r
	}
	if x.Round != nil && v.Kind() == point.Float {
		v = point.FloatValue(layout.Round(v.Float(), *x.Round))
	}
	r.Value = v
	if doubt := x.Range.doubt(v); doubt != "" && r.Quality == point.Good {
		r.Quality, r.Reason = point.Uncertain, doubt
	}
	return r
}

// computed completes a point that has no register of its own.
func computed(m Map) func(*Point, siblings) {
	text := m.Get("expr")
	for _, key := range slices.Concat([]string{"register", "numbering", "of", "scale_from", "type", "interval", "priority", "write", "counter"}, valueKeys) {
		if n := m.Get(key); n.Present() && key != "round" {
			n.Problem("leave it out", "means nothing for a point that is computed from others")
		}
	}
	return func(p *Point, all siblings) {
		kinds := map[string]point.Kind{}
		for i := range all {
			if all[i].Formula == nil && all[i].ID != p.ID && all[i].ID != "" {
				kinds[all[i].ID] = all[i].Kind()
			}
		}
		f, err := formula.Compile(text.Text(), kinds)
		if err != nil {
			text.Problem(`write it like "1.732 * voltage * current": points of this device by id, with _ for -`, "%s", err)
			return
		}
		p.Formula = f
		if round := m.Get("round").Int(0, layout.MaxRound, -1); round >= 0 {
			p.Round = &round
		}
		p.Interval = 0
		for i := range all {
			if slices.Contains(f.Inputs(), all[i].ID) {
				p.Interval = max(p.Interval, all[i].Interval)
			}
		}
		p.Range = readRange(m, f.Kind())
		p.checkReport(m)
	}
}

// checkInputs makes sure that what a point is computed from is read.
func checkInputs(n Node, p *Point, all siblings, enabled []bool) {
	for i := range all {
		if p.Formula != nil && !enabled[i] && slices.Contains(p.Formula.Inputs(), all[i].ID) {
			n.Problem("leave both out, or enable both", "point %q is computed from %q, which is not enabled", p.ID, all[i].ID)
		}
	}
}
