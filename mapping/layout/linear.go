package layout

import (
	"math"

	"sluice/mapping/point"
)

// linear is raw·scale + offset, worked out in decimal and rounded once. The zero
// linear changes nothing.
type linear struct{ scale, offset decimal }

func newLinear(scale, offset float64) linear {
	if scale == 0 {
		scale = 1
	}
	if scale == 1 && offset == 0 {
		return linear{}
	}
	return linear{decimalOf(scale, 64), decimalOf(offset, 64)}
}

func (l linear) int(raw int64) (point.Value, error) {
	if l == (linear{}) {
		return point.IntValue(raw), nil
	}
	return l.apply(decimal{coef: raw}, float64(raw))
}

func (l linear) uint(raw uint64) (point.Value, error) {
	switch {
	case l == (linear{}):
		return point.UintValue(raw), nil
	case raw > math.MaxInt64:
		return l.approximate(float64(raw))
	default:
		return l.apply(decimal{coef: int64(raw)}, float64(raw))
	}
}

func (l linear) float32(raw float32) (point.Value, error) {
	f := float64(raw)
	if !finite(f) {
		return point.Value{}, errNotANumber
	}
	d := decimalOf(f, 32)
	if l == (linear{}) {
		return number(d.float())
	}
	return l.apply(d, f)
}

func (l linear) float64(raw float64) (point.Value, error) {
	if !finite(raw) || l == (linear{}) {
		return number(raw)
	}
	return l.apply(decimalOf(raw, 64), raw)
}

// apply scales raw, of which approx is the nearest float.
func (l linear) apply(raw decimal, approx float64) (point.Value, error) {
	if product, ok := raw.times(l.scale); ok {
		if sum, ok := product.plus(l.offset); ok {
			return number(sum.float())
		}
	}
	return l.approximate(approx)
}

// approximate serves numbers of more than 18 digits, which decimal cannot hold
// and a float64 cannot show.
func (l linear) approximate(raw float64) (point.Value, error) {
	return number(raw*l.scale.float() + l.offset.float())
}

func number(f float64) (point.Value, error) {
	if !finite(f) {
		return point.Value{}, errNotANumber
	}
	return point.FloatValue(f), nil
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
