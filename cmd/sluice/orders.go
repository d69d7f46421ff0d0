package main

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// around is how many registers before a point and behind its longest reading are
// looked at: manuals count from 0 or from 1.
const around = 1

// longest is the registers of the longest number.
const longest = 4

// window is a piece of a register table with a point in it.
type window struct {
	point mapping.Point
	first int // address of the first byte
	data  []byte
}

// guess is a way to read the registers at a place, and what comes of it.
type guess struct {
	shift int // registers behind the point's own address
	typ   layout.Type
	order layout.Order
	value point.Value
}

// look reads a point with its neighbours, or less where the device refuses that.
func (r *round) look(p mapping.Point) (window, bool) {
	first, last := int(p.Register.Address), int(p.Register.Address)+p.Layout.Words()
	for _, span := range [][2]int{
		{first - around, max(first+longest, last) + around}, {first - around, last + around}, {first, max(first+longest, last)}, {first, last},
	} {
		from, to := max(span[0], 0), min(span[1], 1<<16)
		req := modbus.Request{Unit: r.device.Unit, Function: modbus.ReadHoldingRegisters, Address: uint16(from), Count: uint16(to - from)}
		if p.Register.Table == mapping.Input {
			req.Function = modbus.ReadInputRegisters
		}
		if data, err := r.client.Do(req, r.timing()); err == nil && len(data) == 2*(to-from) {
			return window{p, from, data}, true
		}
	}
	return window{}, false
}

// at decodes the registers at a distance from the point's own.
func (w window) at(shift int, t layout.Type, o layout.Order) (guess, bool) {
	begin := 2 * (int(w.point.Register.Address) + shift - w.first)
	end := begin + 2*t.Words()
	if begin < 0 || end > len(w.data) {
		return guess{}, false
	}
	scale, offset, round := w.point.Layout.Scaling()
	l, err := layout.New(layout.Config{Type: t, Order: o, Scale: scale, Offset: offset, Round: round})
	if err != nil {
		return guess{}, false
	}
	v, err := l.Decode(w.data[begin:end])
	return guess{shift, t, o, v}, err == nil
}

// guesses are the numbers of every type and order that the point's registers may
// hold.
func (w window) guesses() []guess {
	var all []guess
	for t := layout.Int16; t <= layout.BCD64; t++ {
		seen := map[string]bool{}
		for o := layout.ABCD; o <= layout.DCBAHGFE; o++ {
			letters := o.Letters(t.Words())
			if seen[letters] {
				continue
			}
			seen[letters] = true
			if g, ok := w.at(0, t, o); ok {
				all = append(all, g)
			}
		}
	}
	return all
}

// better are the readings in another order, or one register off, that are plausible
// where the one that is configured is not. There may be several: one register off,
// a float in the opposite order has the head of one value and the tail of its
// neighbour.
func (w window) better() (all []guess) {
	t, o := w.point.Layout.Type(), w.point.Layout.Order()
	own, ok := w.at(0, t, o)
	if !t.Number() || t.Words() < 2 || ok && sense(own.value) != absurd {
		return nil
	}
	seen := map[string]bool{}
	for _, shift := range []int{0, -1, 1} {
		for other := layout.ABCD; other <= layout.DCBAHGFE; other++ {
			if shift != 0 && other != o && other != layout.ABCD {
				continue // with so many to choose from, one would always make sense
			}
			g, ok := w.at(shift, t, other)
			if line := w.line(g); ok && sense(g.value) == sensible && !seen[line] {
				seen[line] = true
				all = append(all, g)
			}
		}
	}
	return all
}

// twin is a float at an even address in the opposite order of registers that shares
// its head with the one configured at an odd address: one of the two has the tail
// of another value, and both look right. Values of two registers mostly begin at
// even addresses.
func (w window) twin() (guess, bool) {
	t, o := w.point.Layout.Type(), w.point.Layout.Order()
	own, ok := w.at(0, t, o)
	if t != layout.Float32 || w.point.Register.Address%2 == 0 || !ok || sense(own.value) != sensible {
		return guess{}, false
	}
	shift, other := -1, layout.CDAB // of ABCD the head comes first
	switch o {
	case layout.ABCD:
	case layout.CDAB:
		shift, other = 1, layout.ABCD
	default:
		return guess{}, false
	}
	g, ok := w.at(shift, t, other)
	return g, ok && sense(g.value) == sensible
}

// sanity is whether a number looks like something that is measured.
type sanity int

const (
	absurd sanity = iota
	doubtful
	sensible
)

// sense judges a number as people do: wrong orders give fractions of a billionth
// and billions.
func sense(v point.Value) sanity {
	switch f := math.Abs(v.Float()); {
	case math.IsNaN(f) || f > 1e9 || f != 0 && f < 1e-6:
		return absurd
	case f >= 1e-3 && f <= 1e7:
		return sensible
	default:
		return doubtful
	}
}

// printOrders writes for every point what its registers may mean, with the line
// for the site file.
func (r *round) printOrders(t terminal) {
	fmt.Fprintln(t.out, r.target)
	for _, p := range r.device.Points {
		if p.Register.Table.Bits() {
			continue
		}
		w, ok := window{}, r.rows[p.ID].raw != nil
		if ok {
			w, ok = r.look(p)
		}
		if !ok {
			fmt.Fprintf(t.out, "\n%s: cannot be read\n", p.ID)
			continue
		}
		w.print(t)
	}
}

func (w window) print(t terminal) {
	begin := 2 * (int(w.point.Register.Address) - w.first)
	fmt.Fprintf(t.out, "\n%s: %s holds %s, behind it %s\n", w.point.ID, w.point.Register,
		hexWords(w.data[begin:begin+2*w.point.Layout.Words()]), hexWords(w.data[begin+2*w.point.Layout.Words():]))
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, g := range w.guesses() {
		mark := ""
		if g.typ == w.point.Layout.Type() && g.order.Letters(g.typ.Words()) == w.point.Layout.Order().Letters(g.typ.Words()) {
			mark = "  as configured"
		}
		fmt.Fprintf(table, "  %s\t%s%s\n", valueText(g.value), w.line(g), mark)
	}
	table.Flush()
	better := w.better()
	if len(better) > 0 {
		fmt.Fprintln(t.out, "  warning: what is configured makes no sense, but this does; compare all digits with the display:")
	}
	if g, ok := w.twin(); ok {
		better = append(better, g)
		fmt.Fprintln(t.out, "  warning: this makes sense as well, and begins at an even address; compare all digits with the display:")
	}
	for _, g := range better {
		fmt.Fprintf(t.out, "    %s  %s\n", valueText(g.value), w.line(g))
	}
}

// line is the line of the site file that reads a point as guessed.
func (w window) line(g guess) string {
	r := w.point.Register
	id := w.point.ID
	if id == r.String() {
		id = "value" // it has no name yet
	}
	line := fmt.Sprintf("{id: %s, register: %s 0x%04x, type: %s", id, r.Table, int(r.Address)+g.shift, g.typ)
	if g.order != layout.ABCD {
		line += ", order: " + g.order.Letters(g.typ.Words())
	}
	scale, offset, round := w.point.Layout.Scaling()
	if scale != 1 {
		line += fmt.Sprintf(", scale: %v", scale)
	}
	if offset != 0 {
		line += fmt.Sprintf(", offset: %v", offset)
	}
	if round != nil {
		line += fmt.Sprintf(", round: %d", *round)
	}
	if w.point.Unit != "" {
		line += fmt.Sprintf(", unit: %q", w.point.Unit)
	}
	return line + "}"
}

func hexWords(b []byte) string {
	words := make([]string, len(b)/2)
	for i := range words {
		words[i] = fmt.Sprintf("%x", b[2*i:2*i+2])
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}
