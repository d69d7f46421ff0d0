package mapping

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"sluice/drivers/modbus"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// Bounds of the rules of one template: a scan asks every unit for them.
const (
	maxProbes = 8
	maxPlaces = 4 // of one rule, beside the first
)

// Probe is one sign by which scan knows a device type: what it says of itself, or
// what one of its registers holds. It only ever reads.
type Probe struct {
	Identity string // part of what functions 43/14 or 17 say; empty: a register
	Register Register
	Also     []Register // other places where it may be, in this order
	Layout   layout.Layout
	Text     string    // part of a string
	Is       []float64 // one of these
	IsUnit   bool      // the unit's own number
	Min, Max float64   // where nothing of the above is given
}

// readProbes reads `probe`.
func readProbes(n Node) []Probe {
	items := n.Seq()
	if len(items) > maxProbes {
		n.Problem("keep the best", "%d rules are too many, %d is the limit", len(items), maxProbes)
		return nil
	}
	var probes []Probe
	for _, item := range items {
		if p, ok := readProbe(item); ok {
			probes = append(probes, p)
		}
	}
	return probes
}

func readProbe(n Node) (Probe, bool) {
	m := n.Map("identity", "register", "also", "type", "order", "length", "scale", "text", "is", "min", "max")
	p := Probe{Identity: m.Get("identity").Text(), Text: m.Get("text").Text()}
	p.Min, p.Max = m.Get("min").number(math.Inf(-1)), m.Get("max").number(math.Inf(1))
	for _, item := range m.Get("is").Seq() {
		if s := item.Text(); s == "unit" {
			p.IsUnit = true
		} else if i, err := parseInt(s); err == nil {
			p.Is = append(p.Is, float64(i))
		} else {
			p.Is = append(p.Is, item.number(0))
		}
	}
	if p.Identity != "" {
		return p, true
	}
	register := m.Need("register", "input 0x0046, or identity: SDM630")
	if !register.Present() {
		return p, false
	}
	var ok bool
	if p.Register, ok = readRegister(register, numberings[0]); !ok {
		return p, false
	}
	if p.Register.Table.Bits() {
		register.Problem("take an input or a holding register", "one bit tells nothing of a device")
		return p, false
	}
	p.Also = readPlaces(m.Get("also"), p.Register.Table)
	p.Layout = readLayout(m, p.Register.Table, 0)
	if p.Text == "" && len(p.Is) == 0 && !p.IsUnit && (math.IsInf(p.Min, 0) || math.IsInf(p.Max, 0)) {
		n.Problem("add text, is, or min and max", "the rule says nothing of what the register holds")
	}
	return p, true
}

// readPlaces reads the other places of a rule.
func readPlaces(n Node, table Table) []Register {
	var places []Register
	items := n.Seq()
	for _, item := range items[:min(len(items), maxPlaces)] {
		r, ok := readRegister(item, numberings[0])
		if ok && r.Table != table {
			item.Problem("write "+table.String(), "all places of a rule are in one table")
			continue
		}
		places = append(places, r)
	}
	if len(items) > maxPlaces {
		n.Problem("keep the usual ones", "%d places are too many, %d is the limit", len(items), maxPlaces)
	}
	return places
}

// requests read what the rule is about, place by place.
func (p *Probe) requests(unit modbus.UnitID) []modbus.Request {
	var all []modbus.Request
	for _, r := range append([]Register{p.Register}, p.Also...) {
		all = append(all, modbus.Request{Unit: unit, Function: readFunctions[r.Table], Address: r.Address, Count: uint16(p.Layout.Words())})
	}
	return all
}

// How much a rule that holds tells, between 0 and 1.
const (
	tellsModel = 0.95 // a name or a code
	tellsUnit  = 0.6  // its own number where the type keeps it
	tellsRange = 0.4  // a plausible value
)

// strength is how much it tells when the rule holds.
func (p *Probe) strength() float64 {
	switch {
	case p.Identity != "" || p.Text != "" || len(p.Is) > 0:
		return tellsModel
	case p.IsUnit:
		return tellsUnit
	default:
		return tellsRange
	}
}

// holds reports whether a register has what the rule wants.
func (p *Probe) holds(unit modbus.UnitID, data []byte) bool {
	if len(data) != 2*p.Layout.Words() {
		return false
	}
	v, err := p.Layout.Decode(data)
	if err != nil {
		return false
	}
	if v.Kind() == point.Text {
		return p.Text != "" && contained(p.Text, v.String())
	}
	f := v.Float()
	switch {
	case p.Text != "":
		return false
	case len(p.Is) > 0 || p.IsUnit:
		return slices.Contains(p.Is, f) || p.IsUnit && f == float64(unit)
	default:
		return f >= p.Min && f <= p.Max
	}
}

// Example is what the registers of a unit hold for which the rule holds. exact tells
// that not any plausible value does; ok is false for a rule about no register.
func (p *Probe) Example(unit modbus.UnitID) (data []byte, exact, ok bool) {
	if p.Identity != "" {
		return nil, false, false
	}
	v := point.FloatValue((p.Min + p.Max) / 2)
	switch {
	case p.Text != "":
		v, exact = point.TextValue(p.Text), true
	case p.IsUnit:
		v, exact = point.UintValue(uint64(unit)), true
	case len(p.Is) > 0:
		v, exact = point.FloatValue(p.Is[0]), true
	}
	data = make([]byte, 2*p.Layout.Words())
	return data, exact, p.Layout.Encode(data, v) == nil
}

// contained compares names as people do, without case.
func contained(part, whole string) bool {
	return strings.Contains(strings.ToLower(whole), strings.ToLower(part))
}

// String says what the rule looks for.
func (p *Probe) String() string {
	switch {
	case p.Identity != "":
		return "says " + strconv.Quote(p.Identity)
	case p.Text != "":
		return p.Register.String() + " has " + strconv.Quote(p.Text)
	default:
		return p.Register.String()
	}
}
