package layout

import (
	"fmt"
	"slices"
	"strings"

	"sluice/mapping/point"
)

// Type is how the bits of one value are read.
type Type uint8

// The types. High and Low name the byte of a register that holds the value.
const (
	_ Type = iota
	Bool
	Int8High
	Int8Low
	Uint8High
	Uint8Low
	Int16
	Uint16
	Int32
	Uint32
	Int48
	Uint48
	Int64
	Uint64
	Float32
	Float64
	String
)

// shape is what a type needs of its registers: a value is width bits, found
// shift bits above the least significant one.
type shape struct {
	name  string
	kind  point.Kind
	words int
	width int
	shift int
}

var shapes = [...]shape{
	Bool:      {"bool", point.Bool, 1, 1, 0},
	Int8High:  {"int8-high", point.Int, 1, 8, 8},
	Int8Low:   {"int8-low", point.Int, 1, 8, 0},
	Uint8High: {"uint8-high", point.Uint, 1, 8, 8},
	Uint8Low:  {"uint8-low", point.Uint, 1, 8, 0},
	Int16:     {"int16", point.Int, 1, 16, 0},
	Uint16:    {"uint16", point.Uint, 1, 16, 0},
	Int32:     {"int32", point.Int, 2, 32, 0},
	Uint32:    {"uint32", point.Uint, 2, 32, 0},
	Int48:     {"int48", point.Int, 3, 48, 0},
	Uint48:    {"uint48", point.Uint, 3, 48, 0},
	Int64:     {"int64", point.Int, 4, 64, 0},
	Uint64:    {"uint64", point.Uint, 4, 64, 0},
	Float32:   {"float32", point.Float, 2, 32, 0},
	Float64:   {"float64", point.Float, 4, 64, 0},
	String:    {name: "string", kind: point.Text}, // as long as its Config says
}

// ParseType returns the type that files call name, such as "float32". The error
// lists every name there is.
func ParseType(name string) (Type, error) {
	names := TypeNames()
	if i := slices.Index(names, name); i >= 0 {
		return Bool + Type(i), nil
	}
	return 0, fmt.Errorf("%q is not a type: the types are %s", name, strings.Join(names, ", "))
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
// a String, which has a length of its own.
func (t Type) Words() int { return shapes[t].words }

func (t Type) valid() bool { return t >= Bool && t <= String }
