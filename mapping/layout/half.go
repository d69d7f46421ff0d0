package layout

import (
	"math"
	"strconv"
)

// fromHalf returns the value of an IEEE 754 binary16.
func fromHalf(bits uint16) float64 {
	exp, frac := int(bits>>10&0x1F), float64(bits&0x3FF)
	f := math.Ldexp(frac, -24)
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		f = math.Inf(1)
	case exp > 0:
		f = math.Ldexp(1024+frac, exp-25)
	}
	if bits>>15 != 0 {
		return -f
	}
	return f
}

// toHalf returns the binary16 nearest to f, halves to even, and false when f is
// too large for any.
func toHalf(f float64) (bits uint16, ok bool) {
	_, exp := math.Frexp(f)
	exp = max(exp-1, -14) // of the leading bit; below -14 the numbers are evenly spaced
	n := math.RoundToEven(math.Ldexp(math.Abs(f), 10-exp))
	if f == 0 {
		exp, n = -14, 0
	}
	bits = uint16(exp+14)<<10 + uint16(n) // a carry out of the fraction belongs to the exponent
	if exp > 15 || bits >= 0x7C00 {
		return 0, false
	}
	if math.Signbit(f) {
		bits |= 0x8000
	}
	return bits, true
}

// shortestHalf returns the shortest decimal that stands for f among the halves.
func shortestHalf(f float64) float64 {
	want, _ := toHalf(f)
	for digits := range 5 {
		var buf [24]byte
		text := strconv.AppendFloat(buf[:0], f, 'e', digits, 64)
		near, err := strconv.ParseFloat(string(text), 64)
		if got, ok := toHalf(near); err == nil && ok && got == want {
			return near
		}
	}
	return f
}
