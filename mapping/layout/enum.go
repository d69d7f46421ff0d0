package layout

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/mapping/point"
)

// MaxEnum is the most names an Enum may have.
const MaxEnum = 1000

// Enum gives names to numbers, such as the modes of a drive.
type Enum struct {
	numbers []int64 // ascending
	names   []string
}

// NewEnum returns the enum in which names[i] stands for numbers[i]. A name must
// not be empty, nor a number or a name be there twice.
func NewEnum(numbers []int64, names []string) (*Enum, error) {
	if len(numbers) == 0 || len(numbers) > MaxEnum || len(numbers) != len(names) {
		return nil, fmt.Errorf("an enum has 1 to %d names, one for each number", MaxEnum)
	}
	e := &Enum{numbers: slices.Sorted(slices.Values(numbers)), names: make([]string, len(names))}
	for i, n := range numbers {
		at, _ := slices.BinarySearch(e.numbers, n)
		if names[i] == "" {
			return nil, errors.New("a name of an enum must not be empty")
		}
		if e.names[at] != "" {
			return nil, fmt.Errorf("%d has two names", n)
		}
		if slices.Contains(e.names, names[i]) {
			return nil, fmt.Errorf("%q stands for two numbers", names[i])
		}
		e.names[at] = names[i]
	}
	return e, nil
}

// Names returns the names in the order of their numbers.
func (e *Enum) Names() []string { return slices.Clone(e.names) }

// errNoName is a number without a name.
type errNoName int64

func (n errNoName) Error() string { return strconv.FormatInt(int64(n), 10) + " has no name" }

// Name returns the name of n; its digits and an error where it has none, so that
// a text stays a text.
func (e *Enum) Name(n int64) (point.Value, error) {
	if i, ok := slices.BinarySearch(e.numbers, n); ok {
		return point.TextValue(e.names[i]), nil
	}
	return point.TextValue(strconv.FormatInt(n, 10)), errNoName(n)
}

// Number returns what a name, or a number that has one, stands for.
func (e *Enum) Number(v point.Value) (int64, error) {
	if i := slices.Index(e.names, v.Text()); i >= 0 && v.Kind() == point.Text {
		return e.numbers[i], nil
	}
	if i := slices.IndexFunc(e.numbers, func(n int64) bool { return point.IntValue(n).String() == v.String() }); i >= 0 && v.Kind() != point.Text {
		return e.numbers[i], nil
	}
	return 0, fmt.Errorf("%q is none of %s", v.String(), strings.Join(e.names, ", "))
}
