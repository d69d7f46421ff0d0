package layout

import (
	"bytes"
	"math"
	"strconv"
)

// decimal is coef·10^exp.
type decimal struct {
	coef int64
	exp  int
}

// decimalOf returns the shortest decimal that stands for f among the floats of
// width bits: what a person wrote to get f. It must be finite.
func decimalOf(f float64, width int) decimal {
	var buf [32]byte
	mantissa, exponent, _ := bytes.Cut(strconv.AppendFloat(buf[:0], math.Abs(f), 'e', -1, width), []byte("e"))
	exp, _ := strconv.Atoi(string(exponent))
	d := decimal{exp: exp}
	for i, c := range mantissa {
		if c == '.' {
			d.exp -= len(mantissa) - 1 - i
			continue
		}
		d.coef = 10*d.coef + int64(c-'0') // 17 digits at most
	}
	if f < 0 {
		d.coef = -d.coef
	}
	return d
}

// float returns the float64 nearest to d, infinite when there is none.
func (d decimal) float() float64 {
	var buf [32]byte
	text := strconv.AppendInt(buf[:0], d.coef, 10)
	text = append(text, 'e')
	text = strconv.AppendInt(text, int64(d.exp), 10)
	f, _ := strconv.ParseFloat(string(text), 64) // out of range: the infinity
	return f
}

// times returns d·e, and false when it has too many digits.
func (d decimal) times(e decimal) (decimal, bool) {
	coef, ok := multiply(d.coef, e.coef)
	return decimal{coef, d.exp + e.exp}, ok
}

// plus returns d + e, and false when it has too many digits.
func (d decimal) plus(e decimal) (decimal, bool) {
	switch {
	case d.coef == 0:
		return e, true
	case e.coef == 0:
		return d, true
	case d.exp < e.exp:
		d, e = e, d
	}
	for ; d.exp > e.exp; d.exp-- {
		var ok bool
		if d.coef, ok = multiply(d.coef, 10); !ok {
			return d, false
		}
	}
	sum := d.coef + e.coef
	return decimal{sum, d.exp}, sum > d.coef == (e.coef > 0)
}

// multiply returns a·b, and false when that is no int64. b has at most 17 digits.
func multiply(a, b int64) (int64, bool) {
	p := a * b
	return p, a == 0 || p/a == b
}

// round returns d with so many decimals, halves away from zero.
func (d decimal) round(decimals int) decimal {
	drop := -decimals - d.exp
	if drop <= 0 {
		return d
	}
	if drop > 18 { // less than half of the last decimal
		return decimal{}
	}
	unit := int64(1)
	for range drop {
		unit *= 10
	}
	half := unit / 2
	if d.coef < 0 {
		half = -half
	}
	whole, rest := d.coef/unit, d.coef%unit
	if abs(rest) >= abs(half) {
		whole += half / abs(half)
	}
	return decimal{whole, -decimals}
}

func abs(i int64) int64 { return max(i, -i) }
