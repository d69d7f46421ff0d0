package mapping

import (
	"slices"

	"sluice/mapping/layout"
)

// references are the points of a device that are made of others, which may stand
// below them in the file.
type references []reference

type reference struct {
	id   string
	turn int // those of a lower turn are settled before
	// settle completes the point; find returns another one by its id, nil if there
	// is none.
	settle func(p *Point, find func(id string) *Point)
}

// settle completes the points that refer to others.
func (rs references) settle(points []Point) {
	find := func(id string) *Point {
		for i := range points {
			if points[i].ID == id {
				return &points[i]
			}
		}
		return nil
	}
	slices.SortStableFunc(rs, func(a, b reference) int { return a.turn - b.turn })
	for _, r := range rs {
		if p := find(r.id); p != nil {
			r.settle(p, find)
		}
	}
}

// bitsOf completes a point that is bits of the register of another: it takes over
// register, type and order.
func bitsOf(m Map) func(*Point, func(string) *Point) {
	of := m.Get("of")
	bits := m.Need("bits", "3")
	for _, key := range []string{"register", "numbering", "scale_from", "type", "length", "padding", "order"} {
		if n := m.Get(key); n.Present() {
			n.Problem("leave it out", "is that of point %q", of.Text())
		}
	}
	return func(p *Point, find func(string) *Point) {
		word := find(of.Text())
		switch {
		case word == nil || word == p:
			of.Problem("name a point of this device that has a register", "there is no point %q", of.Text())
		case word.Register.Table.Bits() || word.Layout.Words() == 0:
			of.Problem("name a point with an integer in registers", "point %q has no bits", of.Text())
		case bits.Present():
			p.Register = word.Register
			p.Layout = compile(m, layout.Config{Type: word.Layout.Type(), Order: word.Layout.Order()})
			p.checkValue(m)
		}
	}
}

// scaleFrom completes a point whose scale another point holds.
func scaleFrom(m Map, most int) func(*Point, func(string) *Point) {
	from := m.Get("scale_from")
	if w := m.Get("write"); w.Present() {
		w.Problem("leave it out", "what a device scales cannot be written: its scale may change meanwhile")
	}
	return func(p *Point, find func(string) *Point) {
		factor := find(from.Text())
		if factor == nil || factor == p {
			from.Problem("name a point of this device that holds the power of ten", "there is no point %q", from.Text())
			return
		}
		if p.Layout.Words() == 0 && !p.Register.Table.Bits() {
			return // has been reported
		}
		if err := p.scaledBy(factor, most); err != nil {
			from.Problem("name the point that holds the power of ten of this value, such as an int16 beside it", "%s", err)
		}
	}
}
