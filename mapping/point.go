package mapping

import (
	"fmt"
	"slices"
)

// readPoints reads the points of a device, and leaves out those that are not
// enabled. Others may be made of them all the same.
func readPoints(device string, items []source, s Settings, outer form) (points, derived []Point) {
	all, enabled := make([]Point, len(items)), make([]bool, len(items))
	used := map[string]bool{}
	var refs references
	for i, item := range items {
		n := item.node.As(device + ": point")
		outer.numbering = item.numbering
		all[i], enabled[i] = readPoint(n, device, s, outer, &refs)
		if id := all[i].ID; id != "" && used[id] {
			item.node.As(device).Problem("give each point of a device an id of its own", "point %q is given twice", id)
		}
		used[all[i].ID] = true
	}
	refs.settle(all)
	for i, item := range items {
		checkInputs(item.node.As(device), &all[i], all, enabled)
	}
	taken := overlaps{}
	points = make([]Point, 0, len(items))
	for i, item := range items {
		switch {
		case !enabled[i]:
		case all[i].Formula != nil:
			derived = append(derived, all[i])
		default:
			taken.add(item.node.As(device), &all[i])
			points = append(points, all[i])
		}
	}
	return points, derived
}

// pointKeys are the keys of a point.
var pointKeys = slices.Concat([]string{
	"id", "register", "numbering", "of", "expr", "scale_from", "counter", "type", "min", "max", "unit", "interval", "priority", "enabled", "write",
}, valueKeys, reportKeys, classKeys)

func readPoint(n Node, device string, s Settings, outer form, refs *references) (p Point, enabled bool) {
	m := n.Map(pointKeys...)
	p = Point{ID: m.Need("id", "voltage").ID(), Place: n.Place()}
	m = m.Named(fmt.Sprintf("%s: point %q", device, p.ID))
	enabled = m.Get("enabled").Bool(true)
	p.Unit = m.Get("unit").Text()
	p.Classes = readClasses(m)
	p.Interval = m.Get("interval").Duration(minInterval, maxInterval, s.Interval)
	p.Report = readReport(m, s.Report)
	p.Priority = m.Get("priority").Choice("normal", "high") == "high"
	if m.Get("expr").Present() {
		*refs = append(*refs, reference{p.ID, 2, computed(m)})
		return p, enabled
	}
	if m.Get("of").Present() {
		*refs = append(*refs, reference{p.ID, 0, bitsOf(m)})
		return p, enabled
	}
	if m.Get("scale_from").Present() {
		*refs = append(*refs, reference{p.ID, 1, scaleFrom(m, outer.most)})
	}
	register := m.Need("register", "holding 40101")
	ok := false
	if register.Present() {
		p.Register, ok = readRegister(register, readNumbering(m, outer.numbering))
	}
	if !ok {
		_, _ = readType(m.Get("type")) // is wrong for any table, and told
		return p, enabled              // what the other keys mean depends on the table
	}
	p.Layout = readLayout(m, p.Register.Table, outer.order)
	if p.Register.Table.Bits() {
		p.Names = readStates(m.Get("enum"), p.Register.Table)
	}
	p.checkValue(m)
	if end := int(p.Register.Address) + p.span(); end > 1<<16 {
		register.Problem("check the number in the manual", "%s is %d registers long and passes the last address", p.Register, p.span())
	}
	return p, enabled
}

// checkValue reads what depends on the kind of value that the point has.
func (p *Point) checkValue(m Map) {
	p.Range = readRange(m, p.Kind())
	p.Counter = readCounter(m.Get("counter"), p)
	p.checkReport(m)
	p.Write = readWritable(m.Get("write"), p)
}

// registerPattern is what ParseRegister reads with one numbering or another.
const registerPattern = `^ *([Cc]oil +0[0-9]{4,5}|([Cc]oil|[Dd]iscrete|[Ii]nput|[Hh]olding) +(0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,5})) *$`

func readRegister(n Node, numbering string) (Register, bool) {
	r, err := ParseRegister(n.Matching(registerPattern), numbering)
	if err == nil {
		warnModicon(n, r, numbering)
		return r, true
	}
	what, fix := Fix(err)
	n.Problem(fix, "%s", what)
	return Register{}, false
}
