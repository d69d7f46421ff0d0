// Package point holds the vocabulary of measured values: a point is one named
// value of a device, a reading is what one poll learned about it. Everything
// that decodes, publishes or shows values speaks in these types; the package
// knows nothing of registers, topics or files.
package point

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Quality says how far a reading may be trusted.
type Quality uint8

// The qualities, best first.
const (
	Good      Quality = iota // the device said so, just now
	Uncertain                // the device said so, but it is implausible
	Stale                    // true once, not confirmed since
	Bad                      // no value: Reason says why
)

// String returns the word used in payloads and tables.
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Uncertain:
		return "uncertain"
	case Stale:
		return "stale"
	default:
		return "bad"
	}
}

// Reading is what one poll learned about one point.
type Reading struct {
	Device  string
	Point   string
	Value   Value // the zero Value when Quality is Bad
	Unit    string
	Quality Quality
	Reason  string    // why the quality is not good: "timeout", "exception 2"; else empty
	Time    time.Time // when the reply that carried it ended
}

// Kind tells what a Value holds.
type Kind uint8

// The kinds of value.
const (
	None Kind = iota
	Bool
	Int
	Uint
	Float
	Text
)

// Value is one measured value: nothing, a truth value, a number or a text. It
// is comparable, and a copy is independent. 64-bit integers keep every bit.
type Value struct {
	kind Kind
	bits uint64
	text string
}

// BoolValue returns a truth value.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, bits: 1}
	}
	return Value{kind: Bool}
}

// IntValue returns a signed integer.
func IntValue(i int64) Value { return Value{kind: Int, bits: uint64(i)} }

// UintValue returns an unsigned integer.
func UintValue(u uint64) Value { return Value{kind: Uint, bits: u} }

// FloatValue returns a floating-point number. NaN and the infinities have no
// place in a payload: they give the zero Value, which callers publish as bad.
func FloatValue(f float64) Value {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Value{}
	}
	return Value{kind: Float, bits: math.Float64bits(f)}
}

// TextValue returns a text.
func TextValue(s string) Value { return Value{kind: Text, text: s} }

// Kind returns what the value holds.
func (v Value) Kind() Kind { return v.kind }

// Bool returns the truth value; false for every other kind.
func (v Value) Bool() bool { return v.kind == Bool && v.bits != 0 }

// Int returns the signed integer; 0 for every other kind.
func (v Value) Int() int64 {
	if v.kind != Int {
		return 0
	}
	return int64(v.bits)
}

// Uint returns the unsigned integer; 0 for every other kind.
func (v Value) Uint() uint64 {
	if v.kind != Uint {
		return 0
	}
	return v.bits
}

// Text returns the text; empty for every other kind.
func (v Value) Text() string { return v.text }

// Float returns the value as a number: 0 or 1 for a truth value, NaN for a text
// or no value. Integers above 2^53 lose their last digits.
func (v Value) Float() float64 {
	switch v.kind {
	case Bool, Uint:
		return float64(v.bits)
	case Int:
		return float64(int64(v.bits))
	case Float:
		return math.Float64frombits(v.bits)
	default:
		return math.NaN()
	}
}

// String returns the value as a person reads it; "–" for no value.
func (v Value) String() string {
	switch v.kind {
	case Bool:
		return strconv.FormatBool(v.bits != 0)
	case Int:
		return strconv.FormatInt(int64(v.bits), 10)
	case Uint:
		return strconv.FormatUint(v.bits, 10)
	case Float:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case Text:
		return v.text
	case None:
		return "–"
	default:
		return fmt.Sprintf("point.Kind(%d)", v.kind)
	}
}
