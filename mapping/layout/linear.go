package layout

import (
	"math"

	"sluice/mapping/point"
)

// linear is raw·scale + offset, worked out in decimal and rounded once. The zero
// linear changes nothing.
type linear struct {
	scale, offset decimal
	set           bool // numbers become floats, whatever scale and offset are
	rounded       bool
	round         int8 // decimals to keep if rounded
}

func newLinear(scale, offset float64, round *int) linear {
	l := linear{scale: decimal{coef: 1}, offset: decimalOf(offset, 64)}
	if scale != 0 {
		l.scale = decimalOf(scale, 64)
	}
	l.set = l.scale != decimal{coef: 1} || offset != 0
	if round != nil {
		l.set, l.rounded, l.round = true, true, int8(*round)
	}
	if !l.set {
		return linear{}
	}
	return l
}

// shifted is l with a scale that is 10^power times as large, for numbers whose
// scale the device tells.
func (l linear) shifted(power int) linear {
	if !l.set {
		l = linear{scale: decimal{coef: 1}, set: true}
	}
	l.scale.exp += power
	return l
}

func (l linear) int(raw int64) (point.Value, error) {
	if !l.set {
		return point.IntValue(raw), nil
	}
	return l.apply(decimal{coef: raw}, float64(raw))
}

func (l linear) uint(raw uint64) (point.Value, error) {
	switch {
	case !l.set:
		return point.UintValue(raw), nil
	case raw > math.MaxInt64:
		return l.approximate(float64(raw))
	default:
		return l.apply(decimal{coef: int64(raw)}, float64(raw))
	}
}

func (l linear) float16(raw uint16) (point.Value, error) {
	f := fromHalf(raw)
	if !finite(f) {
		return point.Value{}, errNotANumber
	}
	return l.float64(shortestHalf(f))
}

func (l linear) float32(raw float32) (point.Value, error) {
	f := float64(raw)
	if !finite(f) {
		return point.Value{}, errNotANumber
	}
	d := decimalOf(f, 32)
	if !l.set {
		return number(d.float())
	}
	return l.apply(d, f)
}

func (l linear) float64(raw float64) (point.Value, error) {
	if !finite(raw) || !l.set {
		return number(raw)
	}
	return l.apply(decimalOf(raw, 64), raw)
}

// apply scales raw, of which approx is the nearest float.
func (l linear) apply(raw decimal, approx float64) (point.Value, error) {
	if product, ok := raw.times(l.scale); ok {
		if sum, ok := product.plus(l.offset); ok {
			if l.rounded {
				sum = sum.round(int(l.round))
			}
			return number(sum.float())
		}
	}
	return l.approximate(approx)
}

// approximate serves numbers of more than 18 digits, which decimal cannot hold
// and a float64 cannot show.
func (l linear) approximate(raw float64) (point.Value, error) {
	f := raw*l.scale.float() + l.offset.float()
	if l.rounded {
		return number(Round(f, int(l.round)))
	}
	return number(f)
}

// Round returns f with so many decimals, as a person would round the shortest
// decimal that stands for it: halves away from zero.
func Round(f float64, decimals int) float64 {
	if !finite(f) {
		return f
	}
	return decimalOf(f, 64).round(decimals).float()
}

func number(f float64) (point.Value, error) {
	if !finite(f) {
		return point.Value{}, errNotANumber
	}
	return point.FloatValue(f + 0), nil // -0 + 0 is 0: nobody measures less than nothing by nothing
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
