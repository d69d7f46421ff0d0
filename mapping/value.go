package mapping

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// valueKeys are what a point says of a value in registers, and a bit has not.
var valueKeys = []string{"bits", "length", "padding", "order", "scale", "offset", "round", "invalid", "enum"}

// readLayout reads how the value of a point lies in its registers.
func readLayout(m Map, table Table, order layout.Order) layout.Layout {
	if table.Bits() {
		checkBit(m, table)
		return layout.Layout{}
	}
	cfg := layout.Config{Type: layout.Uint16, Words: m.Get("length").Int(1, layout.MaxWords, 0)}
	switch typ, err := readType(m.Get("type")); {
	case err != nil:
		return layout.Layout{}
	case typ != 0:
		cfg.Type = typ
	}
	cfg.Order = readOrder(m.Get("order"), cfg.Type, order)
	if m.Get("padding").Choice("nul", "space") == "space" {
		cfg.Padding = layout.Space
	}
	if cfg.Type.Text() && cfg.Words == 0 {
		m.Need("length", "8")
		return layout.Layout{}
	}
	return compile(m, cfg)
}

// compile adds what holds of whole values and of bits alike, and compiles.
func compile(m Map, cfg layout.Config) layout.Layout {
	cfg.Scale = readScale(m.Get("scale"))
	cfg.Offset = m.Get("offset").number(0)
	cfg.Enum = readEnum(m.Get("enum"))
	cfg.Invalid = readInvalid(m.Get("invalid"))
	if round := m.Get("round").Int(0, layout.MaxRound, -1); round >= 0 {
		cfg.Round = &round
	}
	if bits := m.Get("bits"); bits.Present() {
		var err error
		if cfg.Bits, err = layout.ParseBits(bits.Matching(bitsPattern)); err != nil {
			bits.Problem("write one bit as 3, several as 4..7; bit 0 is the least significant", "%q is neither a bit nor bits", bits.text())
			return layout.Layout{}
		}
	}
	l, err := layout.New(cfg)
	if err != nil {
		m.node.Problem("change the type, or leave the key out that does not go with it", "%s", err)
	}
	return l
}

// bitsPattern is what layout.ParseBits reads.
const bitsPattern = `^[0-9]{1,2}(\.\.[0-9]{1,2})?$`

// checkBit refuses what means nothing for a coil or discrete input.
func checkBit(m Map, table Table) {
	if typ := m.Get("type"); typ.Present() && typ.text() != "bool" {
		typ.Problem("leave the type out, or write type: bool", "a %s is one bit and cannot be %s", table, typ.text())
	}
	for _, key := range valueKeys {
		if n := m.Get(key); n.Present() && key != "enum" {
			n.Problem("leave it out", "means nothing for a %s, which is one bit", table)
		}
	}
}

// readType returns 0 where no type is given.
func readType(n Node) (layout.Type, error) {
	n.shape.choice("uint16", layout.TypeNames)
	s := n.text()
	if s == "" {
		return 0, nil
	}
	t, err := layout.ParseType(s)
	if err != nil {
		n.Problem(typeFix(s), "%q is not a type", s)
	}
	return t, err
}

// readOrder reads the order of one value, which must suit its length; what its
// device says is a rule that suits every value.
func readOrder(n Node, t layout.Type, outer layout.Order) layout.Order {
	if !n.Present() {
		return outer
	}
	words := max(t.Words(), 1) // a text has an order in each register only
	n.shape.choice("ABCD", layout.AllOrders)
	letters := n.text()
	o, err := layout.ParseOrder(letters, words)
	switch {
	case err == nil:
		return o
	case !n.IsScalar(): // has been told
	case contains(layout.AllOrders(), letters):
		n.Problem("write one of "+list(layout.OrderNames(words)), "%s is not an order of a value of type %s", letters, t)
	default:
		n.Problem(orderFix(letters, words), "%q is not known here", letters)
	}
	return outer
}

// readOrders reads the order of all values of a device.
func readOrders(n Node) layout.Order {
	n.shape.choice("ABCD", func() []string { return layout.OrderNames(0) })
	o, err := layout.ParseOrder(n.text(), 0)
	if err != nil && n.IsScalar() {
		n.Problem(orderFix(n.text(), 0), "%q is not known here", n.text())
	}
	return o
}

// orderFix says what to write for an unknown order of values of so many registers;
// 0 for values of any length. The words that manuals have for it mean different
// things, so they are told what the letters do.
func orderFix(s string, words int) string {
	if near := nearest(s, layout.OrderNames(words)); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	if words == 1 {
		return "write AB for the high byte first, or BA"
	}
	return "write ABCD for the most significant byte first, CDAB with the registers the other way round, BADC with their bytes, DCBA with both"
}

func readScale(n Node) float64 {
	scale := n.number(1)
	if scale == 0 {
		n.Problem("leave it out for 1", "a scale of 0 makes every value 0")
	}
	return scale
}

// readEnum reads the names of numbers; nil where there are none.
func readEnum(n Node) *layout.Enum {
	var numbers []int64
	var names []string
	for _, e := range n.Entries() {
		number, err := parseInt(e.Key.text())
		if err != nil {
			e.Key.Problem(err.fix, "%s", err.what)
			return nil
		}
		numbers = append(numbers, number)
		names = append(names, e.Value.Text())
	}
	if !n.Present() || n.resolved().Kind != yaml.MappingNode {
		return nil
	}
	enum, err := layout.NewEnum(numbers, names)
	if err != nil {
		n.Problem(`write it as {0: "off", 1: auto}`, "%s", err)
	}
	return enum
}

// readInvalid reads what a device sends in place of a value: a list of numbers,
// or the name of a set.
func readInvalid(n Node) (in layout.Invalid) {
	if n.IsScalar() {
		in.Set = layout.InvalidSet(slices.Index(invalidSets, n.Choice(invalidSets...)))
		return in
	}
	for _, item := range n.Seq() {
		in.Raw = append(in.Raw, item.raw())
	}
	return in
}

// readStates reads the names of the states of a bit.
func readStates(n Node, table Table) *layout.Enum {
	names := readEnum(n)
	if names == nil {
		return nil
	}
	for _, e := range n.Entries() {
		if number, _ := parseInt(e.Key.text()); number != 0 && number != 1 {
			e.Key.Problem("write {0: open, 1: closed}", "a %s is 0 or 1, never %d", table, number)
			return nil
		}
	}
	return names
}

// invalidSets are the names of layout.NoSet, SunSpec and NaN.
var invalidSets = []string{"none", "sunspec", "nan"}

// raw returns a number as registers hold it, in decimal or with 0x; a whole one to
// its last bit.
func (n Node) raw() point.Value {
	s := n.text()
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		if err != nil {
			n.Problem("write digits only, e.g. 65535 or 0xFFFF", "%q is not a number", s)
		}
		return point.UintValue(u)
	}
	f := n.number(0)
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return point.UintValue(u)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return point.IntValue(i)
	}
	return point.FloatValue(f)
}

func typeFix(s string) string {
	names := layout.TypeNames()
	if near := nearest(s, names); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	return "the types are " + strings.Join(names, ", ")
}
