package mapping

import "sluice/mapping/layout"

// references are the points of a device that are made of others, which may stand
// below them in the file.
type references []reference

type reference struct {
	id string
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
	for _, key := range []string{"register", "numbering", "type", "length", "padding", "order"} {
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
		}
	}
}
