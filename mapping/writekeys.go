package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// Limits and default of the age of a command.
const (
	minMaxAge     = 100 * time.Millisecond
	maxMaxAge     = time.Hour
	defaultMaxAge = 10 * time.Second
)

// readWritable reads `write`; nil when the point has none.
func readWritable(n Node, p *Point) *Writable {
	m := n.Map("function", "verify", "min", "max", "step", "enum", "max_age")
	number, _ := strconv.Atoi(m.Get("function").Choice("auto", "5", "6", "15", "16", "22"))
	low, high, values := m.Get("min"), m.Get("max"), m.Get("enum")
	w := &Writable{
		Function: modbus.Function(number),
		Verify:   m.Get("verify").Choice("readback", "none") == "readback",
		Bounded:  low.Present() || high.Present(),
		Min:      low.number(0),
		Max:      high.number(0),
		Step:     m.Get("step").number(0),
		MaxAge:   m.Get("max_age").Duration(minMaxAge, maxMaxAge, defaultMaxAge),
	}
	for _, item := range values.Seq() {
		w.Values = append(w.Values, readAllowed(item, p))
	}
	if !n.Present() {
		return nil
	}
	if table := p.Register.Table; table != Coil && table != Holding {
		n.Problem("only coils and holding registers can", "%s cannot be written", p.Register)
		return nil
	}
	if p.span() == 0 {
		return nil // its type makes no sense, which has been told
	}
	p.checkFunction(m.Get("function"), w.Function)
	p.checkRange(m, w)
	return w
}

// readAllowed reads one of the values of `enum`.
func readAllowed(n Node, p *Point) point.Value {
	switch p.Kind() {
	case point.Text:
		return point.TextValue(n.Text())
	case point.Bool:
		return point.BoolValue(n.Bool(false))
	default:
		return point.FloatValue(n.number(0))
	}
}

// checkFunction reports a function that cannot write the point.
func (p *Point) checkFunction(n Node, f modbus.Function) {
	fits := []modbus.Function{0, modbus.WriteMultipleRegisters}
	switch {
	case p.Register.Table.Bits():
		fits = []modbus.Function{0, modbus.WriteSingleCoil, modbus.WriteMultipleCoils}
	case p.span() == 1:
		fits = append(fits, modbus.WriteSingleRegister, modbus.MaskWriteRegister)
	}
	if !slices.Contains(fits, f) {
		n.Problem("leave it out for the one that fits", "function %d (%v) cannot write %s", f, f, spanText(p))
	}
}

func spanText(p *Point) string {
	switch {
	case p.Register.Table.Bits():
		return "a coil"
	case p.span() == 1:
		return "a register"
	default:
		return fmt.Sprintf("%d registers at once", p.span())
	}
}

// checkRange reports bounds that are missing, or that cannot hold.
func (p *Point) checkRange(m Map, w *Writable) {
	low, high, step := m.Get("min"), m.Get("max"), m.Get("step")
	if !p.numeric() {
		for _, n := range []Node{low, high, step} {
			if n.Present() {
				n.Problem("leave it out", "means nothing for what is %s", p.kindName())
			}
		}
		w.Bounded = false
		p.checkValues(m.Get("enum"), w)
		return
	}
	switch {
	case !w.Bounded && len(w.Values) == 0:
		m.node.Problem("add min and max, or enum with all values that are allowed", "a number needs its bounds: a slip could do harm")
		return
	case low.Present() != high.Present():
		m.node.Problem("give both", "min needs max and max needs min")
		return
	case w.Bounded && w.Min >= w.Max:
		high.Problem("write the larger one as max", "max %v is not above min %v", w.Max, w.Min)
		return
	case step.Present() && (!w.Bounded || w.Step <= 0 || w.Step > w.Max-w.Min):
		step.Problem("write a step above 0 that fits between min and max", "there is no step of %v here", w.Step)
	}
	if w.Bounded {
		p.checkHolds(low, point.FloatValue(w.Min))
		p.checkHolds(high, point.FloatValue(w.Max))
	}
	p.checkValues(m.Get("enum"), w)
}

// checkValues reports values of `enum` that could never be written.
func (p *Point) checkValues(n Node, w *Writable) {
	for i, item := range n.Seq() {
		rest := *w
		rest.Values = nil
		if err := rest.Check(w.Values[i]); err != nil {
			item.Problem("take it out, or change min, max and step", "%s", err)
			continue
		}
		p.checkHolds(item, w.Values[i])
	}
}

// checkHolds reports a value that the registers cannot hold.
func (p *Point) checkHolds(n Node, v point.Value) {
	if p.Register.Table.Bits() {
		if _, err := p.On(v); err != nil {
			n.Problem("write one of the names of the point", "%s", err)
		}
		return
	}
	if err := p.Layout.Encode(make([]byte, 2*p.span()), v); err != nil {
		n.Problem("check the type and the scale of the point", "%s", err)
	}
}
