package mapping

import (
	"fmt"

	"sluice/mapping/point"
)

// overlaps finds points of a device that take the same register for parts of
// different values, which is a slip far more often than it is meant: a type too
// wide, an address read wrongly. Single bits, and points that begin and end
// together, share registers on purpose.
type overlaps map[Register]*Point

// add warns where the point at n shares registers with one before it.
func (o overlaps) add(n Node, p *Point) {
	if p.Register.Table.Bits() || p.Layout.Kind() == point.Bool {
		return
	}
	for r := p.Register; int(r.Address) < min(int(p.Register.Address)+p.span(), 1<<16-1); r.Address++ {
		q, taken := o[r]
		if taken && (q.Register != p.Register || q.span() != p.span()) {
			n.Warn("check both addresses, and whether the types are as wide as the manual says",
				"%s is part of two values: point %q is %s, point %q %s", r, p.ID, p.extent(), q.ID, q.extent())
			return
		}
		o[r] = p
	}
}

// extent says which registers a point covers, by address.
func (p *Point) extent() string {
	if p.span() == 1 {
		return fmt.Sprintf("0x%04x", p.Register.Address)
	}
	return fmt.Sprintf("0x%04x to 0x%04x", p.Register.Address, int(p.Register.Address)+p.span()-1)
}
