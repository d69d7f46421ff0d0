package mapping_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

var slow = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

func pointAt(id string, table mapping.Table, address uint16, typ layout.Type) mapping.Point {
	p := mapping.Point{ID: id, Register: mapping.Register{Table: table, Address: address}, Interval: time.Second}
	if !table.Bits() {
		l, err := layout.New(layout.Config{Type: typ})
		if err != nil {
			panic(err)
		}
		p.Layout = l
	}
	return p
}

// plan plans all points of a device.
func plan(d *mapping.Device, t mapping.Terms) []mapping.Block {
	return d.Plan(d.All(), t)
}

// requests writes the plan of a device as "function address+count" per block.
func requests(d *mapping.Device, line modbus.Line) string {
	var out []string
	for _, b := range plan(d, mapping.Terms{Line: line}) {
		out = append(out, fmt.Sprintf("%s %d+%d", b.Request.Function, b.Request.Address, b.Request.Count))
	}
	return strings.Join(out, ", ")
}

func TestBlocks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		points []mapping.Point
		want   string
	}{
		{"neighbours", []mapping.Point{pointAt("b", mapping.Input, 2, layout.Float32), pointAt("a", mapping.Input, 0, layout.Float32)},
			"read input registers 0+4"},
		{"a small hole is read over", []mapping.Point{pointAt("a", mapping.Input, 0, layout.Uint16), pointAt("b", mapping.Input, 15, layout.Uint16)},
			"read input registers 0+16"},
		{"a large hole is not", []mapping.Point{pointAt("a", mapping.Input, 0, layout.Uint16), pointAt("b", mapping.Input, 40, layout.Uint16)},
			"read input registers 0+1, read input registers 40+1"},
		{"tables apart", []mapping.Point{pointAt("a", mapping.Holding, 0, layout.Uint16), pointAt("b", mapping.Coil, 0, 0), pointAt("c", mapping.Coil, 9, 0)},
			"read coils 0+10, read holding registers 0+1"},
		{"two views of one register", []mapping.Point{pointAt("a", mapping.Holding, 7, layout.Uint32), pointAt("b", mapping.Holding, 7, layout.Uint16)},
			"read holding registers 7+2"},
		{"the highest address", []mapping.Point{pointAt("a", mapping.Holding, 65535, layout.Uint16)},
			"read holding registers 65535+1"},
	} {
		d := &mapping.Device{ID: "d", Unit: 1, Points: tt.points}
		if got := requests(d, slow); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestBlocksAreCheapest compares plans of random maps with every way to cut them.
func TestBlocksAreCheapest(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var points []mapping.Point
		address := 0
		for range 2 + r.IntN(9) {
			address += 2 + r.IntN(40)
			points = append(points, pointAt(fmt.Sprint(address), mapping.Holding, uint16(address), layout.Float32))
		}
		d := &mapping.Device{Unit: 1, Points: points}
		got := time.Duration(0)
		for _, b := range plan(d, mapping.Terms{Line: slow}) {
			got += readTime(int(b.Request.Count))
		}
		if best := cheapestByTrying(points); got != best {
			t.Fatalf("seed %d: plan takes %v, the best %v", seed, got, best)
		}
	}
}

// readTime is the bus time of one read: request, reply, two silences and the
// 20 ms that a device is taken to need.
func readTime(registers int) time.Duration {
	return slow.Chars(8+5) + 2*slow.Silence() + 20*time.Millisecond + time.Duration(registers)*slow.Chars(2)
}

func cheapestByTrying(points []mapping.Point) time.Duration {
	best := time.Duration(math.MaxInt64)
	for cuts := range 1 << (len(points) - 1) {
		total, first := time.Duration(0), 0
		for i := range points {
			if i < len(points)-1 && cuts>>i&1 == 0 {
				continue
			}
			span := int(points[i].Register.Address) + 2 - int(points[first].Register.Address)
			if span > 125 {
				total = math.MaxInt64 / 2
				break
			}
			total += readTime(span)
			first = i + 1
		}
		best = min(best, total)
	}
	return best
}

func TestSplit(t *testing.T) {
	at := func(addresses ...uint16) *mapping.Block {
		d := &mapping.Device{Unit: 1}
		for _, a := range addresses {
			d.Points = append(d.Points, pointAt(fmt.Sprint(a), mapping.Holding, a, layout.Uint16))
		}
		return &plan(d, mapping.Terms{Line: slow})[0]
	}
	for _, tt := range []struct {
		block *mapping.Block
		want  string
	}{
		{at(0, 3, 9, 10), "0+4 9+2"},
		{at(0, 1, 2, 3), "0+2 2+2"},
		{at(5, 5), "5+1 5+1"},
		{at(7), ""},
	} {
		parts, ok := tt.block.Split()
		got := ""
		if ok {
			a, b := parts[0].Request, parts[1].Request
			got = fmt.Sprintf("%d+%d %d+%d", a.Address, a.Count, b.Address, b.Count)
		}
		if got != tt.want {
			t.Errorf("%d+%d splits into %q, want %q", tt.block.Request.Address, tt.block.Request.Count, got, tt.want)
		}
	}
}

func TestReadings(t *testing.T) {
	scaled, err := layout.New(layout.Config{Type: layout.Int16, Scale: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	temperature := pointAt("temperature", mapping.Input, 1, layout.Int16)
	temperature.Layout, temperature.Unit = scaled, "°C"
	d := &mapping.Device{ID: "room", Unit: 1, Points: []mapping.Point{temperature, pointAt("flow", mapping.Input, 2, layout.Float32)}}
	b := &plan(d, mapping.Terms{Line: slow})[0]
	at := time.Unix(1700000000, 0)

	got := b.AppendReadings(nil, d.ID, []byte{0x00, 0xEA, 0x7F, 0xC0, 0x00, 0x00}, at)
	want := []point.Reading{
		{Device: "room", Point: "temperature", Value: point.FloatValue(23.4), Unit: "°C", Time: at},
		{Device: "room", Point: "flow", Quality: point.Bad, Reason: "not a number", Time: at},
	}
	compare(t, got, want)

	if raw := b.Raw([]byte{0x00, 0xEA, 0x7F, 0xC0, 0x00}); fmt.Sprintf("%x", raw) != "[00ea ]" {
		t.Errorf("raw bytes %x", raw)
	}

	for i := range want {
		want[i].Value, want[i].Quality, want[i].Reason = point.Value{}, point.Bad, "timeout"
	}
	compare(t, b.AppendBad(nil, d.ID, "timeout", at), want)

	for i := range want {
		want[i].Reason = "reply too short"
	}
	compare(t, b.AppendReadings(nil, d.ID, []byte{0}, at), want)
}

func compare(t *testing.T, got, want []point.Reading) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d readings, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("reading %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestReadingsOfCoils(t *testing.T) {
	d := &mapping.Device{ID: "plc", Unit: 1, Points: []mapping.Point{pointAt("a", mapping.Coil, 3, 0), pointAt("b", mapping.Coil, 12, 0)}}
	b := &plan(d, mapping.Terms{Line: slow})[0]
	got := b.AppendReadings(nil, d.ID, []byte{0x00, 0x02}, time.Time{})
	if got[0].Value != point.BoolValue(false) || got[1].Value != point.BoolValue(true) {
		t.Errorf("coils 3 and 12 are %v and %v, want false and true", got[0].Value, got[1].Value)
	}
	if raw := b.Raw([]byte{0x00, 0x02}); fmt.Sprintf("%x", raw) != "[00 01]" {
		t.Errorf("raw bits %x", raw)
	}
}
