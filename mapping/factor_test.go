package mapping_test

import (
	"fmt"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// readSite reads points as the site file has them.
func readSite(t *testing.T, points string) mapping.Device {
	t.Helper()
	text := "{devices: [{id: d, bus: b, unit: 1, poll: {max_registers: 100}, points: [" + points + "]}]}"
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	f := mapping.NewFile("site.yaml", []byte(text))
	site := mapping.Site{Buses: []mapping.Bus{{ID: "b", Settings: mapping.DefaultSettings}}}
	devices, _ := mapping.ReadDevices([]mapping.Node{f.Root(&doc).Map("devices").Get("devices")}, site)
	if err := f.Problems.Err(); err != nil {
		t.Fatal(err)
	}
	return devices[0]
}

// TestFactor reads a value together with its scale, on either side of it, however
// many other points lie between.
func TestFactor(t *testing.T) {
	for _, tt := range []struct {
		factor  string // its address; the value is at 0x40
		count   uint16
		raw, sf uint16
		value   point.Value
		quality point.Quality
		reason  string
	}{
		{"0x0041", 2, 2345, 0xFFFF, point.FloatValue(234.5), point.Good, ""},
		{"0x003f", 2, 2345, 0xFFFE, point.FloatValue(23.45), point.Good, ""},
		{"0x0090", 81, 2345, 2, point.FloatValue(234500), point.Good, ""},
		{"0x0041", 2, 2345, 0, point.FloatValue(2345), point.Good, ""},
		{"0x0041", 2, 0x8000, 0xFFFF, point.FloatValue(-3276.8), point.Uncertain, "below -1000"},
		{"0x0041", 2, 2345, 0x8000, point.Value{}, point.Bad, "scale factor: not available"},
		{"0x0041", 2, 2345, 11, point.Value{}, point.Bad, "scale factor 11 is out of range"},
	} {
		d := readSite(t, `{id: sf, register: holding `+tt.factor+`, type: int16, invalid: sunspec},
			{id: w, register: holding 0x0040, type: int16, scale_from: sf, min: -1000}`)
		w := &d.Points[1]
		blocks := d.Plan([]*mapping.Point{w}, mapping.Terms{Line: slow})
		if len(blocks) != 1 || blocks[0].Request.Count != tt.count {
			t.Errorf("%s: %d requests, %d registers, want %d", tt.factor, len(blocks), blocks[0].Request.Count, tt.count)
			continue
		}
		b := &blocks[0]
		data := make([]byte, 2*b.Request.Count)
		put := func(address, value uint16) {
			at := 2 * (address - b.Request.Address)
			data[at], data[at+1] = byte(value>>8), byte(value)
		}
		put(0x40, tt.raw)
		put(w.Factor.Register.Address, tt.sf)
		got := b.AppendReadings(nil, "d", data, time.Time{})
		compare(t, got, []point.Reading{{Device: "d", Point: "w", Value: tt.value, Quality: tt.quality, Reason: tt.reason}})
		if raw := fmt.Sprintf("%x", b.Raw(data)[0]); raw != fmt.Sprintf("%04x", tt.raw) {
			t.Errorf("raw is %s", raw)
		}
		compare(t, b.AppendReadings(nil, "d", data[:len(data)-2], time.Time{}),
			[]point.Reading{{Device: "d", Point: "w", Quality: point.Bad, Reason: "reply too short"}})
	}
}

// TestFactorStaysWithItsValues plans a table in which the factor lies behind many
// values: no request may have the one without the other.
func TestFactorStaysWithItsValues(t *testing.T) {
	d := readSite(t, `{id: a, register: holding 0x0000, scale_from: sf}, {id: b, register: holding 0x0030, scale_from: sf},
		{id: c, register: holding 0x0050}, {id: sf, register: holding 0x0060, type: int16}, {id: e, register: holding 0x0090, scale_from: sf}`)
	read := 0
	for _, b := range plan(&d, mapping.Terms{Line: slow}) {
		if b.Request.Count > 100 {
			t.Errorf("%d registers in one request", b.Request.Count)
		}
		first, end := int(b.Request.Address), int(b.Request.Address+b.Request.Count)
		for _, p := range b.Points() {
			read++
			if p.Factor != nil && (first > 0x60 || end < 0x61) {
				t.Errorf("%s is read by 0x%x to 0x%x, without its factor", p.ID, first, end)
			}
		}
	}
	if read != 5 {
		t.Errorf("%d points are read, want 5", read)
	}
}

// TestQualityOfValues has the same register read by points that expect other
// things of it.
func TestQualityOfValues(t *testing.T) {
	d := readSite(t, `{id: plain, register: holding 0x0000}, {id: sentinel, register: holding 0x0000, invalid: [0xFFFF]},
		{id: high, register: holding 0x0000, max: 1000}, {id: mode, of: plain, bits: 12..15, enum: {1: "on"}},
		{id: top, bits: 15, of: plain}, {id: tenth, register: holding 0x0000, type: bcd16}`)
	b := &plan(&d, mapping.Terms{Line: slow})[0]
	reading := func(id string, v point.Value, q point.Quality, reason string) point.Reading {
		return point.Reading{Device: "d", Point: id, Value: v, Quality: q, Reason: reason}
	}
	compare(t, b.AppendReadings(nil, "d", []byte{0xFF, 0xFF}, time.Time{}), []point.Reading{
		reading("plain", point.UintValue(65535), point.Good, ""),
		reading("sentinel", point.Value{}, point.Bad, "not available"),
		reading("high", point.UintValue(65535), point.Uncertain, "above 1000"),
		reading("mode", point.TextValue("15"), point.Uncertain, "15 has no name"),
		reading("top", point.BoolValue(true), point.Good, ""),
		reading("tenth", point.Value{}, point.Bad, "0xffff is not in decimal digits"),
	})
	if b.Request.Count != 1 {
		t.Errorf("%d registers are read for one", b.Request.Count)
	}
}

// TestPollIsDecodedWithoutAllocating has a poll of a meter: numbers of any kind
// need no memory of their own.
func TestPollIsDecodedWithoutAllocating(t *testing.T) {
	d, data := meter(t)
	b := &plan(&d, mapping.Terms{Line: slow})[0]
	readings := make([]point.Reading, 0, len(d.Points))
	if n := testing.AllocsPerRun(100, func() { b.AppendReadings(readings, d.ID, data, time.Time{}) }); n != 0 {
		t.Errorf("%v allocations for %d points", n, len(d.Points))
	}
}

// meter is a device with the 26 first values of an SDM630 and their registers.
func meter(tb testing.TB) (mapping.Device, []byte) {
	tb.Helper()
	l, err := layout.New(layout.Config{Type: layout.Float32})
	if err != nil {
		tb.Fatal(err)
	}
	d := mapping.Device{ID: "meter", Unit: 1}
	for i := range 26 {
		d.Points = append(d.Points, mapping.Point{ID: fmt.Sprint("p", i), Layout: l, Unit: "V", Interval: time.Second,
			Register: mapping.Register{Table: mapping.Input, Address: uint16(2 * i)}})
	}
	data := make([]byte, 0, 2*52)
	for i := range 26 {
		data = append(data, 0x43, 0x66, 0x80, byte(i))
	}
	return d, data
}

func BenchmarkDecodeMeter(b *testing.B) {
	d, data := meter(b)
	block := &plan(&d, mapping.Terms{Line: slow})[0]
	readings := make([]point.Reading, 0, len(d.Points))
	b.ReportAllocs()
	for b.Loop() {
		readings = block.AppendReadings(readings[:0], d.ID, data, time.Time{})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(d.Points)), "ns/point")
}
