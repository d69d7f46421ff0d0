package mapping

import (
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
	base   int            // which of the bases is tried; then
	next   int            // where the next model begins, 0 before the first
	found  map[int]uint16 // address of each model by its id
	listed int
}

// NewWalk begins with a device that has a Chain.
func NewWalk(d *Device) *Walk { return &Walk{device: d, found: map[int]uint16{}} }

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
		return false
	case w.next == 0:
		w.base++
		return w.base >= len(w.device.Chain.Bases)
	case len(data) != 4:
		return true
	}
	id, length := int(data[0])<<8|int(data[1]), int(data[2])<<8|int(data[3])
	if id == math.MaxUint16 {
		return true
	}
	if _, again := w.found[id]; !again {
		w.found[id] = uint16(w.next)
	}
	w.next += 2 + length
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
		model := d.Chain.Models[m]
		n := slices.IndexFunc(model.IDs, func(id uint16) bool { _, ok := w.found[int(id)]; return ok })
		if n < 0 {
			why[i] = w.missing(model)
			continue
		}
		by := w.found[int(model.IDs[n])] - model.At
		p.Register.Address += by
		if p.Factor != nil {
			f := *p.Factor
			f.Register.Address += by
			p.Factor = &f
		}
	}
	return &d, why
}

// missing says why there is no place for a model.
func (w *Walk) missing(m Model) string {
	if !w.Listed() {
		return "the device lists no SunSpec models"
	}
	return "the device has no SunSpec model " + strings.Trim(strings.ReplaceAll(fmt.Sprint(m.IDs), " ", ", "), "[]")
}
