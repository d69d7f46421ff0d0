package mapping

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is one of the four tables of a Modbus device.
type Table uint8

// The tables, in the order of their Modicon numbers 0xxxx, 1xxxx, 3xxxx, 4xxxx.
const (
	Coil Table = iota
	Discrete
	Input
	Holding
)

// tables says how each table is written.
var tables = [...]struct {
	word  string
	digit byte // first digit of its Modicon numbers
}{
	Coil:     {"coil", '0'},
	Discrete: {"discrete", '1'},
	Input:    {"input", '3'},
	Holding:  {"holding", '4'},
}

// String returns the word for the table in site files.
func (t Table) String() string { return tables[t].word }

// Bits reports whether the table holds single bits instead of 16-bit registers.
func (t Table) Bits() bool { return t == Coil || t == Discrete }

// Register is a place in a device. Address is the number on the wire, from 0.
type Register struct {
	Table   Table
	Address uint16
}

// String writes the register so that nobody can count it wrongly: with its
// address on the wire and its Modicon number, e.g. "holding 0x0064 (40101)".
func (r Register) String() string {
	return fmt.Sprintf("%s 0x%04x (%s)", r.Table, r.Address, r.Modicon())
}

// Modicon returns the 5- or 6-digit number counted from 1, e.g. 40101.
func (r Register) Modicon() string {
	n := int(r.Address) + 1
	if n <= 9999 {
		return fmt.Sprintf("%c%04d", tables[r.Table].digit, n)
	}
	return fmt.Sprintf("%c%05d", tables[r.Table].digit, n)
}

// numberings are the ways to count registers; the first is the default.
var numberings = []string{"modicon", "zero-based", "one-based"}

// ParseRegister reads a register as site files write it: a table and either a
// Modicon number ("holding 40101"), an address on the wire in hexadecimal
// ("input 0x0034"), or with numbering zero-based or one-based a plain number.
// A plain number without numbering is refused: half of all manuals count from
// 0, half from 1, and the neighbour's value looks right for months.
func ParseRegister(s, numbering string) (Register, error) {
	word, number, ok := strings.Cut(strings.TrimSpace(s), " ")
	number = strings.TrimSpace(number)
	if !ok {
		return Register{}, bareRegister(s)
	}
	table, ok := parseTable(word)
	if !ok {
		fix := "write coil, discrete, input or holding and the number, e.g. holding 40101"
		if near := nearest(word, []string{"coil", "discrete", "input", "holding"}); near != "" {
			fix = fmt.Sprintf("write \"%s %s\"", near, number)
		}
		return Register{}, &fixable{fmt.Sprintf("%q is not a table of a Modbus device", word), fix}
	}
	if modiconDigits(number) && numbering == "modicon" {
		return parseModicon(table, number)
	}
	address, err := parseInt(number)
	if err != nil {
		return Register{}, err
	}
	hex := strings.HasPrefix(strings.ToLower(number), "0x")
	switch {
	case !hex && numbering == "modicon":
		return Register{}, ambiguous(table, address)
	case !hex && numbering == "one-based":
		address--
	}
	if address < 0 || address > 0xFFFF {
		return Register{}, &fixable{fmt.Sprintf("register %s is outside a device's 65536 addresses", number), "check the number in the manual"}
	}
	return Register{table, uint16(address)}, nil
}

func parseTable(word string) (Table, bool) {
	for t := range tables {
		if strings.EqualFold(word, tables[t].word) {
			return Table(t), true
		}
	}
	return 0, false
}

// modiconDigits reports whether s looks like a Modicon number: five or six
// digits. Those of coils begin with 0.
func modiconDigits(s string) bool { return (len(s) == 5 || len(s) == 6) && isDigits(s) }

func parseModicon(table Table, s string) (Register, error) {
	n, _ := strconv.Atoi(s[1:])
	if s[0] != tables[table].digit {
		return Register{}, wrongTable(table, s)
	}
	if n < 1 || n > 65536 {
		return Register{}, &fixable{fmt.Sprintf("%s %s: Modicon numbers count from 1 to 65536 behind the first digit", table, s),
			"check the number in the manual; an address on the wire is written in hexadecimal, e.g. " + table.String() + " 0x0000"}
	}
	return Register{table, uint16(n - 1)}, nil
}

// wrongTable explains a Modicon number whose first digit belongs to another
// table.
func wrongTable(table Table, s string) error {
	right := string(tables[table].digit) + s[1:]
	for t := range tables {
		if s[0] == tables[t].digit {
			return &fixable{fmt.Sprintf("%s numbers are %s registers, not %s", s[:1]+strings.Repeat("x", len(s)-1), Table(t), table),
				fmt.Sprintf("write %q or %q", fmt.Sprintf("%s %s", Table(t), s), fmt.Sprintf("%s %s", table, right))}
		}
	}
	return &fixable{fmt.Sprintf("%s is not a %s number: those begin with %c", s, table, tables[table].digit),
		fmt.Sprintf("write %q if the manual counts from 1, or the address on the wire in hexadecimal", fmt.Sprintf("%s %s", table, right))}
}

// ambiguous explains a number that may count from 0 or from 1.
func ambiguous(table Table, n int64) error {
	fix := "add numbering: zero-based or numbering: one-based to the device"
	if n > 0 && n <= 0xFFFF {
		zero, one := Register{table, uint16(n)}, Register{table, uint16(n - 1)}
		fix = fmt.Sprintf("write %s 0x%04x if the manual counts from 0, %s 0x%04x if from 1; or set numbering for the device",
			table, zero.Address, table, one.Address)
	}
	return &fixable{fmt.Sprintf("%s %d may count from 0 or from 1", table, n), fix}
}

// bareRegister explains a register without its table.
func bareRegister(s string) error {
	if modiconDigits(s) {
		for t := range tables {
			if s[0] == tables[t].digit {
				return &fixable{fmt.Sprintf("register %s does not name its table", s), fmt.Sprintf("write \"%s %s\"", Table(t), s)}
			}
		}
	}
	if digit, number, ok := strings.Cut(strings.ToLower(s), "x"); ok && len(digit) == 1 && digit != "0" && isDigits(number) && number != "" {
		return bareRegister(digit + number)
	}
	return &fixable{fmt.Sprintf("%q does not name a register", s), "write coil, discrete, input or holding and the number, e.g. holding 40101"}
}
