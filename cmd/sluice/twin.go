package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// twin is a simulated unit with the registers of a device in a site file. Its
// values move as those of such a device do, until a master writes to them.
type twin struct {
	name    string
	points  []mapping.Point
	value   []func(at time.Time) point.Value // of each point
	written map[mapping.Register]uint16
	holes   float64 // the share of registers between points that it refuses
}

func newTwin(d mapping.Device, now time.Time) *twin {
	w := &twin{name: d.Name, points: d.Points, written: map[mapping.Register]uint16{}}
	for _, p := range d.Points {
		value := motion(p, seed(d.ID, p.ID), d.Name, now)
		if scales(d.Points, p) {
			value = func(time.Time) point.Value { return point.IntValue(0) }
		}
		w.value = append(w.value, value)
	}
	w.list(d)
	return w
}

// list adds the registers by which the device tells where its models are.
func (w *twin) list(d mapping.Device) {
	if d.Chain == nil {
		return
	}
	w.points = slices.Clip(w.points)
	word, _ := layout.New(layout.Config{Type: layout.Uint16})
	for at, holds := range d.List() {
		w.points = append(w.points, mapping.Point{Register: mapping.Register{Table: mapping.Holding, Address: at}, Layout: word})
		w.value = append(w.value, func(time.Time) point.Value { return point.UintValue(uint64(holds)) })
	}
}

// resemble makes the twin one that scan takes for what it is a twin of.
func (w *twin) resemble(signs []mapping.Probe, unit modbus.UnitID) {
	for i := range signs {
		s := &signs[i]
		if s.Identity != "" {
			w.name += " " + s.Identity
		}
		data, exact, ok := s.Example(unit)
		first := int(s.Register.Address)
		inPoints := w.holds(device.Table(s.Register.Table), first)
		if !ok || inPoints && !exact {
			continue // what its points hold is plausible anyway
		}
		if !inPoints {
			w.points = append(slices.Clip(w.points), mapping.Point{Register: s.Register, Layout: s.Layout})
			w.value = append(w.value, func(time.Time) point.Value { return point.Value{} })
		}
		for at := range len(data) / 2 {
			w.written[mapping.Register{Table: s.Register.Table, Address: uint16(first + at)}] = binary.BigEndian.Uint16(data[2*at:])
		}
	}
}

// scales reports whether p is the power of ten of another point. That of the twin
// is 0, since its registers hold the values as they are.
func scales(points []mapping.Point, p mapping.Point) bool {
	return slices.ContainsFunc(points, func(o mapping.Point) bool { return o.Factor != nil && o.Factor.Register == p.Register })
}

// seed tells apart points that would move alike.
func seed(device, point string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(device + "/" + point))
	return h.Sum32()
}

// Identity names the device as the site file does.
func (w *twin) Identity() device.Identity {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, w.name)
	return device.Identity{Vendor: "Sluice", Product: ascii, Revision: "simulated"}
}

// Read returns the registers of all points in reach, 0 between two of them. What
// lies before the first or behind the last does not exist.
func (w *twin) Read(at time.Time, t device.Table, address uint16, words []uint16) error {
	first, end := w.span(t)
	switch {
	case first == end:
		return device.IllegalFunction
	case int(address) < first || int(address)+len(words) > end || w.refuses(t, int(address), len(words)):
		return device.IllegalAddress
	}
	image := make([]byte, 2*(end-first))
	for i, p := range w.points {
		if p.Register.Table == mapping.Table(t) && overlap(p, int(address), len(words)) {
			put(p, image[2*(int(p.Register.Address)-first):], w.value[i](at))
		}
	}
	for i := range words {
		a := int(address) + i
		words[i] = uint16(image[2*(a-first)])<<8 | uint16(image[2*(a-first)+1])
		if v, ok := w.written[mapping.Register{Table: mapping.Table(t), Address: uint16(a)}]; ok {
			words[i] = v
		}
	}
	return nil
}

// refuses reports whether there is a register that is of no point and refused.
func (w *twin) refuses(t device.Table, address, n int) bool {
	for a := address; w.holes > 0 && a < address+n; a++ {
		if !w.holds(t, a) && float64(seed(w.name, fmt.Sprint(t, a))%1000) < 1000*w.holes {
			return true
		}
	}
	return false
}

// Write keeps what a master writes to a point.
func (w *twin) Write(_ time.Time, t device.Table, address uint16, words []uint16) error {
	for i := range words {
		if !w.holds(t, int(address)+i) {
			return device.IllegalAddress
		}
	}
	for i, v := range words {
		w.written[mapping.Register{Table: mapping.Table(t), Address: address + uint16(i)}] = v
	}
	return nil
}

func (w *twin) holds(t device.Table, address int) bool {
	for _, p := range w.points {
		if p.Register.Table == mapping.Table(t) && overlap(p, address, 1) {
			return true
		}
	}
	return false
}

// span is the part of a table between its first and its last point.
func (w *twin) span(t device.Table) (first, end int) {
	for _, p := range w.points {
		if p.Register.Table != mapping.Table(t) {
			continue
		}
		if a := int(p.Register.Address); end == 0 || a < first {
			first = a
		}
		end = max(end, int(p.Register.Address)+size(p))
	}
	return first, end
}

// size is the registers or bits of a point.
func size(p mapping.Point) int { return max(1, p.Layout.Words()) }

func overlap(p mapping.Point, address, n int) bool {
	return int(p.Register.Address) < address+n && address < int(p.Register.Address)+size(p)
}

// put writes the value of a point over registers; a bit takes one, too.
func put(p mapping.Point, registers []byte, v point.Value) {
	if p.Register.Table.Bits() {
		registers[1] = byte(v.Float())
		return
	}
	_ = p.Layout.Encode(registers[:2*p.Layout.Words()], v) // motion has seen to it that it fits
}

// motion returns how the value of a point moves.
func motion(p mapping.Point, seed uint32, name string, now time.Time) func(time.Time) point.Value {
	kind := p.Layout.Kind()
	if p.Register.Table.Bits() {
		kind = point.Bool
	}
	turn := float64(seed%1000) / 1000
	switch kind {
	case point.Bool:
		swing := device.Signal{Waves: []device.Wave{{Amplitude: 1, Period: time.Duration(20+seed%60) * time.Second, Shift: turn}}}
		return func(at time.Time) point.Value { return point.BoolValue(swing.At(at) > 0) }
	case point.Text:
		text := label(p.Layout, name, now)
		return func(time.Time) point.Value { return text }
	}
	if rate, ok := counts(p.Unit, kind, p.Layout.Words()); ok {
		start := now.AddDate(-3, 0, -int(seed%90))
		count := func(at time.Time) float64 { return rate * at.Sub(start).Hours() }
		part := fit(p.Layout, count(now), count(now.AddDate(1, 0, 0)))
		return func(at time.Time) point.Value { return point.FloatValue(part * count(at)) }
	}
	g := typical(p.Unit)
	swing := device.Signal{Mean: g.mean, Waves: []device.Wave{
		{Amplitude: 0.75 * g.swing, Period: time.Duration(300+seed%600) * time.Second, Shift: turn},
		{Amplitude: 0.25 * g.swing, Period: time.Duration(11+seed%23) * time.Second, Shift: turn},
	}}
	part := fit(p.Layout, g.mean-g.swing, g.mean+g.swing)
	return func(at time.Time) point.Value { return point.FloatValue(part * swing.At(at)) }
}

// label is a text that a layout can hold: a name of its own, the device's, or now.
func label(l layout.Layout, device string, now time.Time) point.Value {
	texts := []string{device[:min(len(device), 2*l.Words())], device[:min(len(device), l.Words())]}
	if e := l.Enum(); e != nil {
		texts = e.Names()
	}
	for _, form := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04:05Z", "2006-01-02"} {
		texts = append(texts, now.UTC().Format(form))
	}
	texts = append(texts, strings.Repeat("5a", 2*l.Words()))
	b := make([]byte, 2*l.Words())
	for _, text := range texts {
		if v := point.TextValue(text); l.Encode(b, v) == nil {
			return v
		}
	}
	return point.Value{}
}

// fit is the part of a range, in powers of ten, that a layout can hold.
func fit(l layout.Layout, low, high float64) float64 {
	b := make([]byte, 2*l.Words())
	for part := 1.0; part > 1e-12; part /= 10 {
		if l.Encode(b, point.FloatValue(part*low)) == nil && l.Encode(b, point.FloatValue(part*high)) == nil {
			return part
		}
	}
	return 0
}

// gauge is what a quantity typically is, and by how much it moves.
type gauge struct{ mean, swing float64 }

// typical is what a small plant measures in a unit.
func typical(unit string) gauge {
	switch strings.ReplaceAll(unit, "³", "3") {
	case "V":
		return gauge{230, 3}
	case "kV":
		return gauge{20, 0.2}
	case "A":
		return gauge{6.4, 2.2}
	case "mA":
		return gauge{12, 3}
	case "W", "VA", "var":
		return gauge{4200, 1400}
	case "kW", "kVA", "kvar":
		return gauge{14, 6}
	case "Hz":
		return gauge{50, 0.03}
	case "°C", "C", "degC":
		return gauge{21, 4}
	case "°F", "F":
		return gauge{70, 7}
	case "K":
		return gauge{294, 4}
	case "%", "%RH":
		return gauge{54, 12}
	case "bar":
		return gauge{3.2, 0.4}
	case "mbar", "hPa":
		return gauge{1013, 8}
	case "kPa":
		return gauge{320, 40}
	case "mm":
		return gauge{1500, 300}
	case "m":
		return gauge{2.4, 0.5}
	case "m3/h", "l/min", "l/s", "m/s":
		return gauge{12, 4}
	case "rpm", "1/min":
		return gauge{1450, 20}
	case "ppm":
		return gauge{620, 140}
	case "pH":
		return gauge{7.2, 0.2}
	default:
		return gauge{100, 40}
	}
}

// counts tells what only ever grows, and by how much in an hour: energy, volume,
// hours, and wide unsigned integers without a unit.
func counts(unit string, kind point.Kind, words int) (rate float64, ok bool) {
	switch strings.ReplaceAll(unit, "³", "3") {
	case "kWh", "kvarh", "kVAh":
		return 4.2, true
	case "Wh", "varh":
		return 4200, true
	case "MWh":
		return 0.42, true
	case "m3":
		return 12, true
	case "l":
		return 720, true
	case "h":
		return 1, true
	case "":
		return 3600, kind == point.Uint && words > 1
	}
	return 0, false
}
