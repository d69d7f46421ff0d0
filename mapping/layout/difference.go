package layout

import (
	"math"

	"sluice/mapping/point"
)

// Difference returns a - b of two numbers of one kind, in decimal: 0.3 - 0.1 is
// 0.2. The kind stays; an unsigned number that would be negative wraps around.
func Difference(a, b point.Value) point.Value {
	switch a.Kind() {
	case point.Int:
		return point.IntValue(a.Int() - b.Int())
	case point.Uint:
		return point.UintValue(a.Uint() - b.Uint())
	}
	if !finite(a.Float()) || !finite(b.Float()) {
		return point.Value{}
	}
	minus := decimalOf(b.Float(), 64)
	minus.coef = -minus.coef
	if sum, ok := decimalOf(a.Float(), 64).plus(minus); ok {
		return point.FloatValue(sum.float())
	}
	return point.FloatValue(a.Float() - b.Float())
}

// Modulus is the value at which a counter in these registers begins at 0 again;
// 0 where that is not known: of a float, a signed number, 64 bits, with an offset.
func (l Layout) Modulus() float64 {
	whole := decimal{coef: 1}
	switch {
	case l.linear.offset.coef != 0 || l.enum != nil:
		return 0
	case l.shape.form == bcd && l.shape.width < 64:
		whole.exp = int(l.shape.width) / 4
	case l.shape.form == unsigned && l.shape.width < 64:
		whole.coef = 1 << l.shape.width
	default:
		return 0
	}
	if !l.linear.set {
		return whole.float()
	}
	if product, ok := whole.times(l.linear.scale); ok {
		return math.Abs(product.float())
	}
	return 0
}
