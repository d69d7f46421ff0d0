package mapping

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"sluice/drivers/modbus"
)

// Chain says that a device keeps its registers in models, one behind the other,
// and lists them itself (SunSpec Device Information Model Specification): where a
// model stands differs from maker to maker.
type Chain struct {
	Bases  []uint16 // where the list may begin, in this order
	Models []Model  // by their address
}

// Model is some of a device's points, and where they stand as they are written.
type Model struct {
	IDs []uint16 // of models that have these points in the same places
	At  uint16   // of the model's first register, its id
}

// Bounds of a chain.
const (
	maxBases  = 8
	maxModels = 64 // that a device may list
)

// readChain reads `sunspec`; nil where it is absent.
func readChain(n Node) *Chain {
	if !n.Present() {
		return nil
	}
	m := n.Map("bases", "models")
	c := &Chain{}
	bases := m.Need("bases", "[40000, 50000, 0]").Seq()
	for _, b := range bases[:min(len(bases), maxBases)] {
		c.Bases = append(c.Bases, uint16(b.Int(0, math.MaxUint16, 0)))
	}
	for _, item := range m.Need("models", "[{ids: [1], at: holding 0x9C42}]").Seq() {
		i := item.Map("ids", "at")
		model := Model{}
		for _, id := range i.Need("ids", "[101, 102, 103]").Seq() {
			model.IDs = append(model.IDs, uint16(id.Int(1, math.MaxUint16-1, 1)))
		}
		at := i.Need("at", "holding 0x9C42")
		if !at.Present() {
			continue
		}
		r, ok := readRegister(at, numberings[0])
		if ok && r.Table != Holding {
			at.Problem("write holding", "the models are in holding registers")
		}
		if last := len(c.Models) - 1; ok && last >= 0 && r.Address <= c.Models[last].At {
			at.Problem("write them in the order of their addresses", "%s is not behind the model before it", r)
		}
		model.At = r.Address
		c.Models = append(c.Models, model)
	}
	if len(c.Bases) == 0 || len(c.Models) == 0 {
		n.Problem("write bases: [40000, 50000, 0], and the models", "without bases or models there is nothing to look for")
		return nil
	}
	return c
}

// check reports points whose scale stands in another model, which may be
// anywhere.
func (c *Chain) check(n Node, points []Point) {
	for i := range points {
		p := &points[i]
		if c != nil && p.Factor != nil && c.model(p.Register) != c.model(p.Factor.Register) {
			n.Problem("scale_from must name a point of the same model", "the scale of point %q is in another model", p.ID)
		}
	}
}

// Moves reports whether a register stands where the device lists it, rather than
// where it was written. A nil Chain moves none.
func (c *Chain) Moves(r Register) bool { return c != nil && c.model(r) >= 0 }

// model returns which of the models a register belongs to, -1 for none.
func (c *Chain) model(r Register) int {
	at := -1
	for i, m := range c.Models {
		if r.Table == Holding && r.Address >= m.At {
			at = i
		}
	}
	return at
}

// Walk finds out where a device keeps its models, two registers at a time. It asks
// for one request after the other and is told what came.
type Walk struct {
	device *Device
	base   int               // which of the bases is tried; then
	next   int               // where the next model begins, 0 before the first
	found  map[uint16]extent // of each model by its id
	listed int
}

// extent is where a model is, its id and length included.
type extent struct {
	at  uint16
	end int
}

// NewWalk begins with a device that has a Chain.
func NewWalk(d *Device) *Walk { return &Walk{device: d, found: map[uint16]extent{}} }

// marker is what the list begins with.
const marker = "SunS"

// Next returns what to ask for.
func (w *Walk) Next() modbus.Request {
	at := uint16(w.next)
	if w.next == 0 {
		at = w.device.Chain.Bases[w.base]
	}
	return modbus.Request{Unit: w.device.Unit, Function: modbus.ReadHoldingRegisters, Address: at, Count: 2}
}

// Tell takes what came, nil for a refusal, and reports whether that was the last.
func (w *Walk) Tell(data []byte) (done bool) {
	switch {
	case w.next == 0 && string(data) == marker:
		w.next = int(w.device.Chain.Bases[w.base]) + 2
		return w.next >= math.MaxUint16
	case w.next == 0:
		w.base++
		return w.base >= len(w.device.Chain.Bases)
	case len(data) != 4:
		return true
	}
	id, length := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
	if id == math.MaxUint16 {
		return true
	}
	at := uint16(w.next)
	w.next += 2 + length
	if _, again := w.found[id]; !again {
		w.found[id] = extent{at, w.next}
	}
	w.listed++
	return w.listed >= maxModels || w.next >= math.MaxUint16
}

// Listed reports whether the device has a list of models.
func (w *Walk) Listed() bool { return w.next != 0 }

// Moved returns the device with its points where it keeps them. why says of each
// point, by its index, why it has no place; empty for one that has.
func (w *Walk) Moved() (moved *Device, why []string) {
	d := *w.device
	d.Points = slices.Clone(d.Points)
	why = make([]string, len(d.Points))
	for i := range d.Points {
		p := &d.Points[i]
		m := d.Chain.model(p.Register)
		if m < 0 {
			continue
		}
		why[i] = w.move(p, d.Chain.Models[m])
	}
	return &d, why
}

// move puts a point to where its model is. What the device keeps behind the end of
// a model is another's; why is then not empty, and the point stays.
func (w *Walk) move(p *Point, m Model) (why string) {
	n := slices.IndexFunc(m.IDs, func(id uint16) bool { return w.found[id].end > 0 })
	if n < 0 {
		return w.missing(m)
	}
	has := w.found[m.IDs[n]]
	if end := int(has.at) + p.end() - int(m.At); p.begin() < int(m.At) || end > min(has.end, 1<<16) {
		return fmt.Sprintf("the device's SunSpec model %d ends before it", m.IDs[n])
	}
	p.Register.Address += has.at - m.At
	if p.Factor != nil {
		f := *p.Factor
		f.Register.Address += has.at - m.At
		p.Factor = &f
	}
	return ""
}

// missing says why there is no place for a model.
func (w *Walk) missing(m Model) string {
	if !w.Listed() {
		return "the device lists no SunSpec models"
	}
	return "the device has no SunSpec model " + strings.Trim(strings.ReplaceAll(fmt.Sprint(m.IDs), " ", ", "), "[]")
}
