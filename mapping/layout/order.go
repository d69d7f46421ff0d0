package layout

import (
	"fmt"
	"slices"
	"strings"
)

// Order says in which order the bytes of a value come over the wire. It is
// written as manuals do, by letters of which A is the most significant byte. The
// four orders of 32 bits are rules that hold for values of every length:
//
//	ABCD  the most significant byte first, as the Modbus specification has it
//	CDAB  the registers the other way round
//	BADC  the bytes of each register the other way round
//	DCBA  both
//
// 64 bits may also be kept as two halves of 32, the less significant half first;
// shorter values follow the rule without the halves.
type Order uint8

// The orders.
const (
	ABCD Order = iota
	CDAB
	BADC
	DCBA
	EFGHABCD
	CDABGHEF
	FEHGBADC
	DCBAHGFE
)

// What an order does differently from ABCD, as bits of its number.
const (
	swapRegisters Order = 1 << iota
	swapBytes
	swapHalves
)

// orders are all of them, in the order of their numbers.
var orders = [...]string{"ABCD", "CDAB", "BADC", "DCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE"}

// ParseOrder returns the order that letters stand for in a value of so many
// registers; 0 for a rule that values of any length follow. The error lists the
// orders that such a value can have.
func ParseOrder(letters string, words int) (Order, error) {
	for o := range Order(len(orders)) {
		if slices.Contains(o.names(words), letters) {
			return o, nil
		}
	}
	return 0, fmt.Errorf("%q is not an order of %s: write %s", letters, span(words), strings.Join(OrderNames(words), ", "))
}

// OrderNames returns what ParseOrder reads, the default first.
func OrderNames(words int) []string {
	var names []string
	for o := range Order(len(orders)) {
		for _, name := range o.names(words) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// AllOrders returns every name that ParseOrder reads for some value.
func AllOrders() []string { return slices.Clone(allOrders[:]) }

// allOrders are the OrderNames of all lengths, each once.
var allOrders = [...]string{
	"ABCD", "CDAB", "BADC", "DCBA", "EFGHABCD", "CDABGHEF", "FEHGBADC", "DCBAHGFE",
	"AB", "BA", "ABCDEF", "EFCDAB", "BADCFE", "FEDCBA", "ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA",
}

// names are the ways to write the order of a value of so many registers; none
// if the value cannot have it.
func (o Order) names(words int) []string {
	rule, letters := orders[o], o.Letters(words)
	switch {
	case words == 0 || words == 2 && o <= DCBA:
		return []string{rule}
	case words == 1 && o&swapRegisters == 0 && o <= DCBA:
		return []string{letters}
	case words == 3 && o <= DCBA, words == 4 && o <= DCBA:
		return []string{rule, letters}
	case words == 4:
		return []string{letters}
	}
	return nil
}

// Letters writes the order of a value of 1 to 4 registers in full, e.g.
// "GHEFCDAB" for CDAB and 4; for 0 the name of the rule.
func (o Order) Letters(words int) string {
	if words == 0 {
		return o.String()
	}
	letters := make([]byte, 2*words)
	for i := range words {
		high, low := 2*o.register(i, words), 2*o.register(i, words)+1
		if o&swapBytes != 0 {
			high, low = low, high
		}
		letters[high], letters[low] = 'A'+byte(2*i), 'B'+byte(2*i)
	}
	return string(letters)
}

// String returns the name of the rule, e.g. "CDAB".
func (o Order) String() string {
	if !o.valid() {
		return fmt.Sprintf("layout.Order(%d)", uint8(o))
	}
	return orders[o]
}

func (o Order) valid() bool { return int(o) < len(orders) }

// register is where the i-th most significant of so many registers lies.
func (o Order) register(i, words int) int {
	if o&swapRegisters != 0 {
		i = words - 1 - i
	}
	if o&swapHalves != 0 && words == 4 {
		i ^= 2
	}
	return i
}

func span(words int) string {
	switch words {
	case 0:
		return "values of any length"
	case 1:
		return "one register"
	default:
		return fmt.Sprintf("%d registers", words)
	}
}
