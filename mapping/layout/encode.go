package layout

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"sluice/mapping/point"
)

// Kind is what Decode returns and Encode takes; a number of any kind may be
// encoded where this is a number.
func (l Layout) Kind() point.Kind {
	if l.linear != (linear{}) {
		return point.Float
	}
	return l.shape.kind
}

// Encode writes v into b, the bytes of exactly the value's registers as a read
// returned them: bits that belong to other values stay as they are. It is the
// inverse of Decode: a number becomes the nearest one that the registers can
// hold, halves away from zero, and Decode tells which. A text is filled up with
// NUL. An error leaves b as it was: the value is of another kind, or too large.
func (l Layout) Encode(b []byte, v point.Value) error {
	if len(b) != 2*l.shape.words {
		return fmt.Errorf("value spans %d bytes, not %d", 2*l.shape.words, len(b))
	}
	if l.shape.kind == point.Text {
		return l.setText(b, v)
	}
	u, err := l.raw(v)
	if err != nil {
		return err
	}
	mask := uint64(math.MaxUint64) >> (64 - l.shape.width) << l.shape.shift
	l.setBits(b, l.bits(b)&^mask|u<<l.shape.shift&mask)
	return nil
}

// raw returns the bits that stand for v.
func (l Layout) raw(v point.Value) (uint64, error) {
	if l.shape.kind == point.Bool {
		if v.Kind() != point.Bool {
			return 0, fmt.Errorf("%v is neither true nor false", v)
		}
		return uint64(v.Float()), nil
	}
	r, err := l.linear.invert(v)
	switch {
	case err != nil:
		return 0, err
	case l.shape.kind == point.Float:
		return l.rawFloat(v, r)
	default:
		return l.rawInt(v, r)
	}
}

func (l Layout) rawFloat(v point.Value, r *big.Rat) (uint64, error) {
	if l.shape.width == 32 {
		f, _ := r.Float32()
		if !finite(float64(f)) {
			return 0, fmt.Errorf("%v is too large for a %s", v, l.shape.name)
		}
		return uint64(math.Float32bits(f)), nil
	}
	f, _ := r.Float64()
	if !finite(f) {
		return 0, fmt.Errorf("%v is too large for a %s", v, l.shape.name)
	}
	return math.Float64bits(f), nil
}

func (l Layout) rawInt(v point.Value, r *big.Rat) (uint64, error) {
	i := round(r)
	low, high := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(l.shape.width))
	if l.shape.kind == point.Int {
		high.Rsh(high, 1)
		low.Neg(high)
	}
	high.Sub(high, big.NewInt(1))
	if i.Cmp(low) < 0 || i.Cmp(high) > 0 {
		return 0, l.outOfRange(v, low, high)
	}
	if i.Sign() < 0 {
		return uint64(i.Int64()), nil
	}
	return i.Uint64(), nil
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
	if l == (linear{}) {
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
	for i := l.shape.words - 1; i >= 0; i-- {
		l.setWord(b[2*l.order.register(i, l.shape.words):], uint16(u))
		u >>= 16
	}
}

func (l Layout) setWord(b []byte, w uint16) {
	if l.order&swapBytes != 0 {
		binary.LittleEndian.PutUint16(b, w)
		return
	}
	binary.BigEndian.PutUint16(b, w)
}

func (l Layout) setText(b []byte, v point.Value) error {
	s := v.Text()
	switch {
	case v.Kind() != point.Text:
		return fmt.Errorf("%v is not a text", v)
	case len(s) > len(b):
		return fmt.Errorf("%q has %d bytes, there is room for %d", s, len(s), len(b))
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("%q holds a NUL, which would end it", s)
	}
	for i := 0; i < len(b); i += 2 {
		var pair [2]byte
		copy(pair[:], s[min(i, len(s)):])
		l.setWord(b[i:], binary.BigEndian.Uint16(pair[:]))
	}
	return nil
}
