// Package layout is how a value lies in registers: its type, which register and
// which byte come first, its bits, the scale, the names of its numbers. A layout
// is compiled once, when a mapping is read, and then turns the bytes of a reply
// into a value and a value into the bytes of a write. The package is pure; it
// knows nothing of addresses, requests or devices.
package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"sluice/mapping/point"
)

// MaxWords is the longest value: what one request may read (Modbus Application
// Protocol V1.1b3, 6.3).
const MaxWords = 125

// MaxRound is the most decimals that Round may keep.
const MaxRound = 12

var (
	errNotANumber   = errors.New("not a number")
	errNotAvailable = errors.New("not available")
)

// Config says how a value lies in registers.
type Config struct {
	Type  Type
	Order Order // the registers of a text come as they read, whatever it says
	Words int   // of a text: registers it spans, 1 to MaxWords; else 0
	Bits  Bits  // of an integer; the zero Bits are all of it, or bit 0 of a Bool

	// The value is what the registers hold, times Scale, plus Offset. Scale 0
	// means 1. Unless this changes nothing, a number becomes a Float.
	Scale, Offset float64
	Round         *int // decimals that a Float keeps, 0 to MaxRound, halves away from zero; nil: all

	Enum    *Enum // names of the numbers of an integer; nil: none
	Invalid Invalid
	Padding Padding // what a text is filled up with when it is written
}

// Bits are Width neighbouring bits of an integer, of which Low is the least
// significant; bit 0 is the least significant of all. One bit is a truth value,
// several are an unsigned number.
type Bits struct{ Low, Width int }

// ParseBits reads bits as files write them: "3", or "4..7" for several.
func ParseBits(s string) (Bits, error) {
	first, last, several := strings.Cut(s, "..")
	low, err := strconv.ParseUint(first, 10, 6)
	high := low
	if several && err == nil {
		high, err = strconv.ParseUint(last, 10, 6)
	}
	if err != nil || high < low {
		return Bits{}, fmt.Errorf("%q is not a bit of a register such as 3, nor bits such as 4..7", s)
	}
	return Bits{Low: int(low), Width: int(high-low) + 1}, nil
}

// Padding is what follows a text in its registers.
type Padding byte

// The paddings.
const (
	NUL   Padding = 0
	Space Padding = ' '
)

// Layout turns register bytes into values. It is immutable, and may be used from
// several goroutines.
type Layout struct {
	shape   shape
	typ     Type
	order   Order
	padding Padding
	linear  linear
	enum    *Enum
	invalid *[]uint64 // raw bits that are no value
	named   bool      // so are those of a set that has a name
	whole   *Layout   // of the value that the bits belong to, if that may be none
}

// New checks cfg and compiles it.
func New(cfg Config) (Layout, error) {
	if err := cfg.check(); err != nil {
		return Layout{}, err
	}
	l := Layout{shape: shapes[cfg.Type], typ: cfg.Type, order: cfg.Order, padding: cfg.Padding, enum: cfg.Enum}
	if cfg.Type.Text() {
		l.shape.words = uint8(cfg.Words)
	}
	if cfg.Bits.Width > 0 {
		l.shape.shift += uint8(cfg.Bits.Low)
		l.shape.width = uint8(cfg.Bits.Width)
		l.shape.form = unsigned
		if cfg.Bits.Width == 1 {
			l.shape.form = truth
		}
	}
	l.linear = newLinear(cfg.Scale, cfg.Offset, cfg.Round)
	if err := l.checkEnum(); err != nil {
		return Layout{}, err
	}
	if err := l.refuse(cfg.Invalid); err != nil {
		return Layout{}, err
	}
	return l, nil
}

// Words is the number of registers that the value spans.
func (l Layout) Words() int { return int(l.shape.words) }

// Type is how the value's registers are read.
func (l Layout) Type() Type { return l.typ }

// Order is the order of the value's bytes.
func (l Layout) Order() Order { return l.order }

// Scaling returns Scale, which is never 0, Offset and Round as they were configured.
func (l Layout) Scaling() (scale, offset float64, round *int) {
	if !l.linear.set {
		return 1, 0, nil
	}
	if l.linear.rounded {
		round = new(int(l.linear.round))
	}
	return l.linear.scale.float(), l.linear.offset.float(), round
}

// Shifted is the layout with numbers 10^power times as large, for those whose
// scale the device tells. They are Floats, whatever the power.
func (l Layout) Shifted(power int) Layout {
	l.linear = l.linear.shifted(power)
	return l
}

// Within is the layout of bits that have no value when the whole has none, whose
// registers are the same.
func (l Layout) Within(whole Layout) Layout {
	l.whole = &whole
	return l
}

// Kind is what Decode returns and Encode takes; a number of any kind may be
// encoded where this is a number.
func (l Layout) Kind() point.Kind {
	switch {
	case l.enum != nil:
		return point.Text
	case l.linear.set:
		return point.Float
	default:
		return l.shape.kind()
	}
}

// Enum returns the names of the numbers; nil where they have none.
func (l Layout) Enum() *Enum { return l.enum }

// Decode returns the value in b, the bytes of exactly its registers in the order
// they came over the wire. An error without a value says why there is none: a
// float that holds NaN or an infinity and a number that scaling makes too large
// are "not a number", what the device sends in place of a value is "not
// available". An error with a value says why it is implausible: a number that
// has no name where others do is itself, in digits.
//
// The value is the one a person would work out with a pencil: a float32 is the
// shortest decimal that stands for it, and 234 scaled by 0.1 is 23.4. A string
// ends at the first byte 00 or FF and has no blanks around it; bytes that are not
// UTF-8 become U+FFFD.
func (l Layout) Decode(b []byte) (point.Value, error) {
	if len(b) != 2*l.Words() {
		return point.Value{}, fmt.Errorf("value spans %d bytes, reply has %d", 2*l.Words(), len(b))
	}
	switch l.shape.form {
	case characters:
		return l.text(b)
	case hexadecimal:
		return l.hex(b), nil
	}
	u := l.field(b)
	switch {
	case l.stands(u) || l.whole != nil && l.whole.stands(l.whole.field(b)):
		return point.Value{}, errNotAvailable
	case l.enum != nil:
		return l.enum.Name(l.number(u))
	case l.shape.form == moment:
		return l.moment(u)
	default:
		return l.value(u)
	}
}

// value is what the bits u of a number or a truth value mean.
func (l Layout) value(u uint64) (point.Value, error) {
	switch l.shape.form {
	case signed:
		return l.linear.int(l.number(u))
	case unsigned:
		return l.linear.uint(u)
	case bcd:
		digits, err := fromBCD(u)
		if err != nil {
			return point.Value{}, err
		}
		return l.linear.uint(digits)
	case ieee:
		return l.float(u)
	default:
		return point.BoolValue(u != 0), nil
	}
}

func (l Layout) float(u uint64) (point.Value, error) {
	switch l.shape.width {
	case 16:
		return l.linear.float16(uint16(u))
	case 32:
		return l.linear.float32(math.Float32frombits(uint32(u)))
	default:
		return l.linear.float64(math.Float64frombits(u))
	}
}

// number is u with its sign.
func (l Layout) number(u uint64) int64 {
	if l.shape.form != signed {
		return int64(u)
	}
	spare := 64 - l.shape.width
	return int64(u<<spare) >> spare
}

// field returns the bits of the value.
func (l Layout) field(b []byte) uint64 { return l.bits(b) >> l.shape.shift & l.mask() }

func (l Layout) mask() uint64 { return math.MaxUint64 >> (64 - l.shape.width) }

// bits returns the registers in b as one number.
func (l Layout) bits(b []byte) uint64 {
	var u uint64
	for i := range l.Words() {
		u = u<<16 | uint64(l.word(b[2*l.order.register(i, l.Words()):]))
	}
	return u
}

func (l Layout) word(b []byte) uint16 {
	if l.order&swapBytes != 0 {
		return binary.LittleEndian.Uint16(b)
	}
	return binary.BigEndian.Uint16(b)
}

// Coil returns bit i of b, the packed bits of a coil or discrete input reply:
// the first is the least significant bit of the first byte (Modbus Application
// Protocol V1.1b3, 6.1).
func Coil(b []byte, i int) (point.Value, error) {
	if i < 0 || i >= 8*len(b) {
		return point.Value{}, fmt.Errorf("bit %d of a reply with %d bytes", i, len(b))
	}
	return point.BoolValue(b[i/8]>>(i%8)&1 != 0), nil
}
