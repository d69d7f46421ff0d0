package mapping

import (
	"fmt"
	"strings"

	"sluice/mapping/layout"
)

// readPoints reads the points of a device, and leaves out those that are not
// enabled.
func readPoints(device string, items []source, s Settings, outer form) []Point {
	var points []Point
	used := map[string]bool{}
	taken := overlaps{}
	for _, item := range items {
		n := item.node.As(device + ": point")
		outer.numbering = item.numbering
		p, enabled := readPoint(n, device, s, outer)
		if p.ID != "" && used[p.ID] {
			item.node.As(device).Problem("give each point of a device an id of its own", "point %q is given twice", p.ID)
		}
		used[p.ID] = true
		if enabled {
			taken.add(item.node.As(device), p)
			points = append(points, p)
		}
	}
	return points
}

func readPoint(n Node, device string, s Settings, outer form) (p Point, enabled bool) {
	keys := []string{"id", "register", "numbering", "type", "bit", "length", "order", "scale", "offset", "unit", "interval", "priority", "enabled"}
	m := n.Map(append(keys, reportKeys...)...)
	p = Point{ID: m.Need("id", "voltage").ID(), Place: n.Place()}
	m = m.Named(fmt.Sprintf("%s: point %q", device, p.ID))
	enabled = m.Get("enabled").Bool(true)
	p.Unit = m.Get("unit").Text()
	p.Interval = m.Get("interval").Duration(minInterval, maxInterval, s.Interval)
	p.Report = readReport(m, s.Report)
	p.Priority = m.Get("priority").Choice("normal", "high") == "high"
	register := m.Need("register", "holding 40101")
	ok := false
	if register.Present() {
		p.Register, ok = readRegister(register, readNumbering(m, outer.numbering))
	}
	if !ok {
		return p, enabled // what the other keys mean depends on the table
	}
	p.Layout = readLayout(m, p.Register.Table, outer.order)
	p.checkReport(m)
	if end := int(p.Register.Address) + p.span(); end > 1<<16 {
		register.Problem("check the number in the manual", "%s is %d registers long and passes the last address", p.Register, p.span())
	}
	return p, enabled
}

func readRegister(n Node, numbering string) (Register, bool) {
	r, err := ParseRegister(n.Text(), numbering)
	if err == nil {
		return r, true
	}
	what, fix := Fix(err)
	n.Problem(fix, "%s", what)
	return Register{}, false
}

// readLayout reads how the value of a point lies in its registers.
func readLayout(m Map, table Table, order layout.Order) layout.Layout {
	typ := m.Get("type")
	if table.Bits() {
		if typ.Present() && typ.Text() != "bool" {
			typ.Problem("leave the type out, or write type: bool", "a %s is one bit and cannot be %s", table, typ.Text())
		}
		for _, key := range []string{"bit", "length", "order", "scale", "offset"} {
			if n := m.Get(key); n.Present() {
				n.Problem("leave it out", "means nothing for a %s, which is one bit", table)
			}
		}
		return layout.Layout{}
	}
	cfg := layout.Config{
		Type:   layout.Uint16,
		Scale:  readScale(m.Get("scale")),
		Offset: m.Get("offset").number(0),
		Words:  m.Get("length").Int(1, layout.MaxWords, 0),
		Bit:    m.Get("bit").Int(0, 15, 0),
	}
	if s := typ.Text(); s != "" {
		t, err := layout.ParseType(s)
		if err != nil {
			typ.Problem(typeFix(s), "%q is not a type", s)
			return layout.Layout{}
		}
		cfg.Type = t
	}
	cfg.Order = readOrder(m.Get("order"), cfg.Type, order)
	if cfg.Type == layout.String && cfg.Words == 0 {
		m.Need("length", "8")
		return layout.Layout{}
	}
	if bit := m.Get("bit"); bit.Present() && cfg.Type != layout.Bool {
		bit.Problem("write type: bool, or leave it out", "only a bool is one bit, not %s", cfg.Type)
		return layout.Layout{}
	}
	l, err := layout.New(cfg)
	if err != nil {
		m.node.Problem("change the type, or leave the key out that does not go with it", "%s", err)
	}
	return l
}

// readOrder reads the order of one value, which must suit its length; what its
// device says is a rule that suits every value.
func readOrder(n Node, t layout.Type, outer layout.Order) layout.Order {
	if !n.Present() {
		return outer
	}
	letters := n.Choice(layout.AllOrders()...)
	words := max(t.Words(), 1) // a string has an order in each register only
	o, err := layout.ParseOrder(letters, words)
	if err == nil || letters != n.Text() {
		return o
	}
	n.Problem("write one of "+list(layout.OrderNames(words)), "%s is not an order of a value of type %s", letters, t)
	return outer
}

func readScale(n Node) float64 {
	scale := n.number(1)
	if scale == 0 {
		n.Problem("leave it out for 1", "a scale of 0 makes every value 0")
	}
	return scale
}

func typeFix(s string) string {
	names := layout.TypeNames()
	if near := nearest(s, names); near != "" {
		return "did you mean \"" + near + "\"? The types are " + list(names)
	}
	return "the types are " + strings.Join(names, ", ")
}
