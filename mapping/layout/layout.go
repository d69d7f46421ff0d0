// Package layout is how a value lies in registers: its type, which register and
// which byte come first, the bit, the scale. A layout is compiled once, when a
// mapping is read, and then turns the bytes of a reply into a value and a value
// into the bytes of a write. The package is pure; it knows nothing of addresses,
// requests or devices.
package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"sluice/mapping/point"
)

// MaxWords is the longest value: what one request may read (Modbus Application
// Protocol V1.1b3, 6.3).
const MaxWords = 125

var (
	errNotANumber = errors.New("not a number")
	errType       = errors.New("value has no type")
	errOrder      = errors.New("value has no such order")
	errFinite     = errors.New("scale and offset must be finite")
	errWords      = errors.New("only a string has a length; its type gives every other value one")
	errBit        = errors.New("only a bool has a bit")
)

// Config says how a value lies in registers.
type Config struct {
	Type  Type
	Order Order // the registers of a String come as they read, whatever it says
	Words int   // of a String: registers it spans, 1 to MaxWords; else 0
	Bit   int   // of a Bool: 0, the least significant, to 15; else 0

	// The value is what the registers hold, times Scale, plus Offset. Scale 0
	// means 1. Unless this changes nothing, a number becomes a Float.
	Scale, Offset float64
}

// Layout turns register bytes into values. It is immutable and comparable, and
// may be used from several goroutines.
type Layout struct {
	shape  shape
	order  Order
	linear linear
}

// New checks cfg and compiles it.
func New(cfg Config) (Layout, error) {
	if err := cfg.check(); err != nil {
		return Layout{}, err
	}
	l := Layout{shape: shapes[cfg.Type], order: cfg.Order}
	switch cfg.Type {
	case Bool:
		l.shape.shift = cfg.Bit
	case String:
		l.shape.words = cfg.Words
	default:
		l.linear = newLinear(cfg.Scale, cfg.Offset)
	}
	return l, nil
}

func (cfg Config) check() error {
	scaled := cfg.Scale != 0 && cfg.Scale != 1 || cfg.Offset != 0
	switch {
	case !cfg.Type.valid():
		return errType
	case !cfg.Order.valid():
		return errOrder
	case !finite(cfg.Scale) || !finite(cfg.Offset):
		return errFinite
	case scaled && (cfg.Type == Bool || cfg.Type == String):
		return fmt.Errorf("a %v has neither scale nor offset", cfg.Type)
	case cfg.Type == String && (cfg.Words < 1 || cfg.Words > MaxWords):
		return fmt.Errorf("a string spans 1 to %d registers, not %d", MaxWords, cfg.Words)
	case cfg.Type != String && cfg.Words != 0:
		return errWords
	case cfg.Type == Bool && (cfg.Bit < 0 || cfg.Bit > 15):
		return fmt.Errorf("the bits of a register are 0 to 15, not %d", cfg.Bit)
	case cfg.Type != Bool && cfg.Bit != 0:
		return errBit
	}
	return nil
}

// Words is the number of registers that the value spans.
func (l Layout) Words() int { return l.shape.words }

// Decode returns the value in b, the bytes of exactly its registers in the order
// they came over the wire. A float that holds NaN or an infinity, and a number
// that scaling makes too large, is the error "not a number".
//
// The value is the one a person would work out with a pencil: a float32 is the
// shortest decimal that stands for it, and 234 scaled by 0.1 is 23.4. A string
// ends at the first NUL and has no blanks around it; bytes that are not UTF-8
// become U+FFFD.
func (l Layout) Decode(b []byte) (point.Value, error) {
	if len(b) != 2*l.shape.words {
		return point.Value{}, fmt.Errorf("value spans %d bytes, reply has %d", 2*l.shape.words, len(b))
	}
	if l.shape.kind == point.Text {
		return point.TextValue(l.text(b)), nil
	}
	spare := 64 - l.shape.width
	u := l.bits(b) >> l.shape.shift << spare
	switch l.shape.kind {
	case point.Int:
		return l.linear.int(int64(u) >> spare)
	case point.Uint:
		return l.linear.uint(u >> spare)
	case point.Float:
		if l.shape.width == 32 {
			return l.linear.float32(math.Float32frombits(uint32(u >> spare)))
		}
		return l.linear.float64(math.Float64frombits(u))
	default:
		return point.BoolValue(u != 0), nil
	}
}

// bits returns the registers in b as one number.
func (l Layout) bits(b []byte) uint64 {
	var u uint64
	for i := range l.shape.words {
		u = u<<16 | uint64(l.word(b[2*l.order.register(i, l.shape.words):]))
	}
	return u
}

func (l Layout) word(b []byte) uint16 {
	if l.order&swapBytes != 0 {
		return binary.LittleEndian.Uint16(b)
	}
	return binary.BigEndian.Uint16(b)
}

func (l Layout) text(b []byte) string {
	var buf [2 * MaxWords]byte
	text := buf[:0]
	for i := 0; i < len(b); i += 2 {
		text = binary.BigEndian.AppendUint16(text, l.word(b[i:]))
	}
	s, _, _ := strings.Cut(string(text), "\x00")
	return strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
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
