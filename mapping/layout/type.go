package layout

import (
	"fmt"
	"slices"
	"strings"

	"sluice/mapping/point"
)

// Type is how the bits of one value are read.
type Type uint8

// The types. High and Low name the byte of each register that holds the value;
// the other one belongs to somebody else. An Int24 lies in the lower three bytes
// of two registers.
const (
	_ Type = iota
	Bool
	Int8High
	Int8Low
	Uint8High
	Uint8Low
	Int16
	Uint16
	Int24
	Uint24
	Int32
	Uint32
	Int48
	Uint48
	Int64
	Uint64
	Float16
	Float32
	Float64
	BCD16 // four decimal digits, four bits each
	BCD32
	BCD64
	String     // two characters in a register
	StringHigh // one
	StringLow
	Hex // bytes as they come, two hexadecimal digits each

	// Points in time, as text. Only the first says of which time zone.
	Unix32        // seconds since 1970, UTC: "2026-11-21T03:40:00Z"
	CP56Time2a    // IEC 60870-5-4, most significant byte first: "2026-11-21T03:40:00.250"
	DateTime48    // year - 2000, month, day, hour, minute, second, a byte each: "2026-11-21T03:40:00"
	DateTime48BCD // the same in decimal digits
	Date32BCD     // eight digits: "2026-11-21"
)

// form is what the bits of a value mean.
type form uint8

const (
	truth form = iota
	signed
	unsigned
	ieee
	bcd
	characters
	hexadecimal
	moment
)

// shape is what a type needs of its registers: a value is width bits, found
// shift bits above the least significant one. For characters these are the bits
// of each register.
type shape struct {
	name  string
	form  form
	words uint8
	width uint8
	shift uint8
}

var shapes = [...]shape{
	Bool:          {"bool", truth, 1, 1, 0},
	Int8High:      {"int8-high", signed, 1, 8, 8},
	Int8Low:       {"int8-low", signed, 1, 8, 0},
	Uint8High:     {"uint8-high", unsigned, 1, 8, 8},
	Uint8Low:      {"uint8-low", unsigned, 1, 8, 0},
	Int16:         {"int16", signed, 1, 16, 0},
	Uint16:        {"uint16", unsigned, 1, 16, 0},
	Int24:         {"int24", signed, 2, 24, 0},
	Uint24:        {"uint24", unsigned, 2, 24, 0},
	Int32:         {"int32", signed, 2, 32, 0},
	Uint32:        {"uint32", unsigned, 2, 32, 0},
	Int48:         {"int48", signed, 3, 48, 0},
	Uint48:        {"uint48", unsigned, 3, 48, 0},
	Int64:         {"int64", signed, 4, 64, 0},
	Uint64:        {"uint64", unsigned, 4, 64, 0},
	Float16:       {"float16", ieee, 1, 16, 0},
	Float32:       {"float32", ieee, 2, 32, 0},
	Float64:       {"float64", ieee, 4, 64, 0},
	BCD16:         {"bcd16", bcd, 1, 16, 0},
	BCD32:         {"bcd32", bcd, 2, 32, 0},
	BCD64:         {"bcd64", bcd, 4, 64, 0},
	String:        {"string", characters, 0, 16, 0}, // as long as its Config says
	StringHigh:    {"string-high", characters, 0, 8, 8},
	StringLow:     {"string-low", characters, 0, 8, 0},
	Hex:           {"hex", hexadecimal, 0, 16, 0},
	Unix32:        {"unix32", moment, 2, 32, 0},
	CP56Time2a:    {"cp56time2a", moment, 4, 56, 0},
	DateTime48:    {"datetime48", moment, 3, 48, 0},
	DateTime48BCD: {"datetime48-bcd", moment, 3, 48, 0},
	Date32BCD:     {"date32-bcd", moment, 2, 32, 0},
}

// ParseType returns the type that files call name, such as "float32". The error
// lists every name there is.
func ParseType(name string) (Type, error) {
	if i := slices.IndexFunc(shapes[Bool:], func(s shape) bool { return s.name == name }); i >= 0 {
		return Bool + Type(i), nil
	}
	return 0, fmt.Errorf("%q is not a type: the types are %s", name, strings.Join(TypeNames(), ", "))
}

// TypeNames returns the names that ParseType reads, small types first.
func TypeNames() []string {
	var names []string
	for _, s := range shapes[Bool:] {
		names = append(names, s.name)
	}
	return names
}

// String returns the name that ParseType reads.
func (t Type) String() string {
	if !t.valid() {
		return fmt.Sprintf("layout.Type(%d)", uint8(t))
	}
	return shapes[t].name
}

// Words is the number of registers that a value of the type spans, 1 to 4; 0 for
// a text, which has a length of its own.
func (t Type) Words() int { return int(shapes[t].words) }

// Number reports whether values of the type are numbers, which may be scaled.
func (t Type) Number() bool { return shapes[t].number() }

// Integer reports whether values of the type are whole numbers in two's
// complement or none, of which single bits can be told.
func (t Type) Integer() bool { return shapes[t].integer() }

// Text reports whether the type needs a length.
func (t Type) Text() bool { return t.valid() && shapes[t].words == 0 }

func (t Type) valid() bool { return t >= Bool && int(t) < len(shapes) }

func (s shape) integer() bool { return s.form == signed || s.form == unsigned }

func (s shape) number() bool { return s.integer() || s.form == ieee || s.form == bcd }

// kind is what a value of the shape is, unless it is scaled or has a name.
func (s shape) kind() point.Kind {
	switch s.form {
	case truth:
		return point.Bool
	case signed:
		return point.Int
	case unsigned, bcd:
		return point.Uint
	case ieee:
		return point.Float
	default:
		return point.Text
	}
}
