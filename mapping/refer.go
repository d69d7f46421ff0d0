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
	// settle completes the point.
	settle func(p *Point, all siblings)
}

// siblings are the points of one device.
type siblings []Point

// find returns a point by its id, nil if there is none.
func (all siblings) find(id string) *Point {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

// settle completes the points that refer to others.
func (rs references) settle(points siblings) {
	slices.SortStableFunc(rs, func(a, b reference) int { return a.turn - b.turn })
	for _, r := range rs {
		if p := points.find(r.id); p != nil {
			r.settle(p, points)
		}
	}
}

// bitsOf completes a point that is bits of the register of another: it takes over
// register, type and order.
func bitsOf(m Map) func(*Point, siblings) {
	of := m.Get("of")
	bits := m.Need("bits", "3")
	for _, key := range []string{"register", "numbering", "scale_from", "counter", "type", "length", "padding", "order"} {
		if n := m.Get(key); n.Present() {
			n.Problem("leave it out", "is that of point %q", of.Text())
		}
	}
	return func(p *Point, all siblings) {
		word := all.find(of.Text())
		switch {
		case word == nil || word == p:
			of.Problem("name a point of this device that has a register", "there is no point %q", of.Text())
		case word.Register.Table.Bits() || word.Layout.Words() == 0:
			of.Problem("name a point with an integer in registers", "point %q has no bits", of.Text())
		case bits.Present():
			p.Register = word.Register
			p.Layout = compile(m, layout.Config{Type: word.Layout.Type(), Order: word.Layout.Order()}).Within(word.Layout)
			p.checkValue(m)
		}
	}
}

// scaleFrom completes a point whose scale another point holds.
func scaleFrom(m Map, most int) func(*Point, siblings) {
	from := m.Get("scale_from")
	if w := m.Get("write"); w.Present() {
		w.Problem("leave it out", "what a device scales cannot be written: its scale may change meanwhile")
	}
	return func(p *Point, all siblings) {
		factor := all.find(from.Text())
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
