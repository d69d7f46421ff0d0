package layout

import (
	"fmt"
	"math"
	"math/big"
	"strconv"

	"sluice/mapping/point"
)

// Encode writes v into b, the bytes of exactly the value's registers as a read
// returned them: bits that belong to other values stay as they are. It is the
// inverse of Decode: a number becomes the nearest one that the registers can
// hold, halves away from zero, and Decode tells which. An enum takes a name or
// its number. A text is filled up with the padding. An error leaves b as it was:
// the value is of another kind, too large, or what stands for no value.
func (l Layout) Encode(b []byte, v point.Value) error {
	if len(b) != 2*l.Words() {
		return fmt.Errorf("value spans %d bytes, not %d", 2*l.Words(), len(b))
	}
	switch l.shape.form {
	case characters:
		return l.setText(b, v)
	case hexadecimal:
		return l.setHex(b, v)
	}
	u, err := l.raw(v)
	switch {
	case err != nil:
		return err
	case l.stands(u):
		return fmt.Errorf("%v stands for no value", v)
	}
	mask := l.mask() << l.shape.shift
	l.setBits(b, l.bits(b)&^mask|u<<l.shape.shift&mask)
	return nil
}

// raw returns the bits that stand for v.
func (l Layout) raw(v point.Value) (uint64, error) {
	switch {
	case l.enum != nil:
		n, err := l.enum.Number(v)
		return uint64(n) & l.mask(), err
	case l.shape.form == moment:
		return l.rawMoment(v)
	case l.shape.form == truth:
		if v.Kind() != point.Bool {
			return 0, fmt.Errorf("%v is neither true nor false", v)
		}
		return uint64(v.Float()), nil
	}
	r, err := l.linear.invert(v)
	switch {
	case err != nil:
		return 0, err
	case l.shape.form == ieee:
		return l.rawFloat(v, r)
	default:
		return l.rawInt(v, r)
	}
}

func (l Layout) rawFloat(v point.Value, r *big.Rat) (uint64, error) {
	f, _ := r.Float64()
	u, ok := math.Float64bits(f), finite(f)
	switch l.shape.width {
	case 16:
		var half uint16
		half, ok = toHalf(f)
		u = uint64(half)
	case 32:
		single, _ := r.Float32()
		u, ok = uint64(math.Float32bits(single)), finite(float64(single))
	}
	if !ok {
		return 0, fmt.Errorf("%v is too large for a %s", v, l.shape.name)
	}
	return u, nil
}

func (l Layout) rawInt(v point.Value, r *big.Rat) (uint64, error) {
	i := round(r)
	low, high := l.limits()
	if i.Cmp(low) < 0 || i.Cmp(high) > 0 {
		return 0, l.outOfRange(v, low, high)
	}
	switch {
	case l.shape.form == bcd:
		return toBCD(i.Uint64()), nil
	case i.Sign() < 0:
		return uint64(i.Int64()) & l.mask(), nil
	default:
		return i.Uint64(), nil
	}
}

// limits are the least and the greatest whole number that the bits can hold.
func (l Layout) limits() (low, high *big.Int) {
	low, high = new(big.Int), new(big.Int).SetUint64(l.mask())
	switch l.shape.form {
	case bcd:
		high.SetUint64(mostBCD(l.shape.width))
	case signed:
		high.Rsh(high, 1)
		low.Not(high)
	}
	return low, high
}

// outOfRange names the values that the registers could hold.
func (l Layout) outOfRange(v point.Value, low, high *big.Int) error {
	least, _ := l.linear.int(low.Int64())
	most, _ := l.linear.uint(high.Uint64())
	if l.linear.scale.coef < 0 {
		least, most = most, least
	}
	return fmt.Errorf("%v is out of range: this %s holds %v to %v", v, l.shape.name, least, most)
}

// invert returns the exact (v - offset) / scale, v being the decimal that a
// person would write for it.
func (l linear) invert(v point.Value) (*big.Rat, error) {
	r := new(big.Rat)
	switch v.Kind() {
	case point.Int:
		r.SetInt64(v.Int())
	case point.Uint:
		r.SetUint64(v.Uint())
	case point.Float:
		r.SetString(strconv.FormatFloat(v.Float(), 'e', -1, 64))
	default:
		return nil, fmt.Errorf("%q is not a number", v)
	}
	if !l.set {
		return r, nil
	}
	return r.Quo(r.Sub(r, l.offset.rat()), l.scale.rat()), nil
}

// rat returns d exactly.
func (d decimal) rat() *big.Rat {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.exp, -d.exp))), nil)
	r := new(big.Rat).SetInt64(d.coef)
	if d.exp < 0 {
		return r.Quo(r, new(big.Rat).SetInt(power))
	}
	return r.Mul(r, new(big.Rat).SetInt(power))
}

// round returns the nearest integer, halves away from zero.
func round(r *big.Rat) *big.Int {
	half := big.NewRat(int64(r.Sign()), 2)
	half.Add(half, r)
	return new(big.Int).Quo(half.Num(), half.Denom())
}

// setBits stores u in the registers; bits is its inverse.
func (l Layout) setBits(b []byte, u uint64) {
	for i := l.Words() - 1; i >= 0; i-- {
		l.setWord(b[2*l.order.register(i, l.Words()):], uint16(u))
		u >>= 16
	}
}
