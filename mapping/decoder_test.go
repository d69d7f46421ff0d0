package mapping_test

import (
	"encoding/binary"
	"testing"
	"time"

	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// TestCounters reads a counter again and again.
func TestCounters(t *testing.T) {
	bad := func(why string) point.Reading { return point.Reading{Quality: point.Bad, Reason: why} }
	doubt := func(v point.Value, why string) point.Reading {
		return point.Reading{Value: v, Quality: point.Uncertain, Reason: why}
	}
	good := func(v point.Value) point.Reading { return point.Reading{Value: v} }
	u, f := point.UintValue, point.FloatValue
	for _, tt := range []struct {
		name, point string
		raw         []uint16
		want        []point.Reading
	}{
		{"a total is published as it is", "counter: {}", []uint16{5, 7, 7},
			[]point.Reading{good(u(5)), good(u(7)), good(u(7))}},
		{"a total that rolls over is good, one that falls is not", "counter: {}", []uint16{65000, 3, 2},
			[]point.Reading{good(u(65000)), good(u(3)), doubt(u(2), "counter fell from 3")}},
		{"steps", "counter: {as: delta}", []uint16{5, 7, 7, 65535},
			[]point.Reading{bad("no earlier count"), good(u(2)), good(u(0)), good(u(65528))}},
		{"steps over the end of 16 bits", "counter: {as: delta}", []uint16{65530, 4},
			[]point.Reading{bad("no earlier count"), good(u(10))}},
		{"steps over the end of four digits", "type: bcd16, counter: {as: delta}", []uint16{0x9998, 0x0003},
			[]point.Reading{bad("no earlier count"), good(u(5))}},
		{"a device that began anew", "counter: {as: delta}", []uint16{30000, 4, 6},
			[]point.Reading{bad("no earlier count"), doubt(u(4), "counter fell from 30000"), good(u(2))}},
		{"tenths do not gather errors", "scale: 0.1, counter: {as: delta}", []uint16{3, 4, 65535, 1},
			[]point.Reading{bad("no earlier count"), good(f(0.1)), good(f(6553.1)), good(f(0.2))}},
		{"an end of its own", "counter: {as: delta, rollover: 10000}", []uint16{9999, 1},
			[]point.Reading{bad("no earlier count"), good(u(2))}},
		{"no end", "counter: {as: delta, rollover: 0}", []uint16{65530, 4},
			[]point.Reading{bad("no earlier count"), doubt(u(4), "counter fell from 65530")}},
		{"an end that was passed is none", "counter: {as: delta, rollover: 1000}", []uint16{5000, 10},
			[]point.Reading{bad("no earlier count"), doubt(u(10), "counter fell from 5000")}},
		{"what is no value does not count", "invalid: [0xFFFF], counter: {as: delta}", []uint16{5, 0xFFFF, 8},
			[]point.Reading{bad("no earlier count"), bad("not available"), good(u(3))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := readSite(t, "{id: n, register: holding 0x0000, "+tt.point+"}")
			decoder, b := mapping.NewDecoder(&d), &plan(&d, mapping.Terms{Line: slow})[0]
			for i, raw := range tt.raw {
				tt.want[i].Device, tt.want[i].Point = "d", "n"
				compare(t, decoder.Append(nil, b, binary.BigEndian.AppendUint16(nil, raw), time.Time{}), tt.want[i:i+1])
			}
		})
	}
}

// TestLongCounter has a counter of 64 bits fall by less than a float64 can tell.
func TestLongCounter(t *testing.T) {
	d := readSite(t, "{id: n, register: holding 0x0000, type: uint64, counter: {as: delta}}")
	decoder, b := mapping.NewDecoder(&d), &plan(&d, mapping.Terms{Line: slow})[0]
	decoder.Append(nil, b, []byte{0, 32, 0, 0, 0, 0, 0, 1}, time.Time{})
	r := decoder.Append(nil, b, []byte{0, 32, 0, 0, 0, 0, 0, 0}, time.Time{})[0]
	if r.Quality != point.Uncertain || r.Value != point.UintValue(1<<53) {
		t.Errorf("%v %v %s, want what was counted since the reset", r.Value, r.Quality, r.Reason)
	}
}

// TestScaledCounter has a counter in thousands, as another register says: where it
// ends is not known, and no step is negative.
func TestScaledCounter(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to uint16
		value    float64
		quality  point.Quality
	}{
		{"step", 60, 61, 1000, point.Good},
		{"end of the registers", 65530, 4, 4000, point.Uncertain},
		{"reset", 60, 0, 0, point.Uncertain},
	} {
		d := readSite(t, "{id: n, register: holding 0x0000, scale_from: sf, counter: {as: delta}}, {id: sf, register: holding 0x0001, type: int16}")
		decoder, b := mapping.NewDecoder(&d), &plan(&d, mapping.Terms{Line: slow})[0]
		say := func(n uint16) point.Reading {
			return decoder.Append(nil, b, append(binary.BigEndian.AppendUint16(nil, n), 0, 3), time.Time{})[0]
		}
		say(tt.from)
		if r := say(tt.to); r.Value != point.FloatValue(tt.value) || r.Quality != tt.quality {
			t.Errorf("%s: %v %v %s", tt.name, r.Value, r.Quality, r.Reason)
		}
	}
}

// FuzzCounter checks that steps add up to what the counter shows at the end, over
// any number of rollovers, as long as it moves by less than half of its range.
func FuzzCounter(f *testing.F) {
	f.Add([]byte{255, 255, 0, 1})
	f.Add([]byte{1, 2, 200, 7, 90, 255})
	d := mapping.Device{ID: "d", Unit: 1, Points: []mapping.Point{pointAt("n", mapping.Holding, 0, layout.Uint16)}}
	d.Points[0].Counter = &mapping.Counter{Delta: true, Rollover: 65536}
	b := &plan(&d, mapping.Terms{Line: slow})[0]
	f.Fuzz(func(t *testing.T, steps []byte) {
		decoder := mapping.NewDecoder(&d)
		count, sum := uint64(0), uint64(0)
		for i, step := range steps {
			count += 60 * uint64(step)
			r := decoder.Append(nil, b, binary.BigEndian.AppendUint16(nil, uint16(count)), time.Time{})[0]
			if i == 0 {
				sum = count
				continue
			}
			if r.Quality != point.Good {
				t.Fatalf("step %d: %+v", i, r)
			}
			sum += r.Value.Uint()
		}
		if sum != count {
			t.Errorf("steps add up to %d, counted %d", sum, count)
		}
	})
}

// TestDerived has a product of two points that are read by requests of their own.
func TestDerived(t *testing.T) {
	d := readSite(t, `{id: voltage-l1, register: holding 0x0000, interval: 1s}, {id: current, register: input 0x0000, scale: 0.1, max: 100, interval: 10s},
		{id: power, expr: voltage_l1 * current, round: 1, max: 20000, unit: W}`)
	if p := d.Derived[0]; len(d.Points) != 2 || p.Kind() != point.Float || p.Interval != 10*time.Second {
		t.Fatalf("%+v", d)
	}
	decoder := mapping.NewDecoder(&d)
	blocks := plan(&d, mapping.Terms{Line: slow}) // input before holding
	at := time.Unix(1_800_000_000, 0)
	read := func(block int, raw uint16) []point.Reading {
		at = at.Add(time.Second)
		return decoder.Append(nil, &blocks[block], binary.BigEndian.AppendUint16(nil, raw), at)[1:]
	}
	current, voltage := 0, 1
	power := func(v float64, q point.Quality, why string) []point.Reading {
		r := point.Reading{Device: "d", Point: "power", Unit: "W", Quality: q, Reason: why, Time: at}
		if q != point.Bad {
			r.Value = point.FloatValue(v)
		}
		return []point.Reading{r}
	}
	compare(t, read(voltage, 230), nil) // the other is missing
	compare(t, read(voltage, 231), nil)
	compare(t, read(current, 55), power(1270.5, point.Good, ""))
	compare(t, read(current, 60), nil) // not of the same poll
	compare(t, read(voltage, 230), power(1380, point.Good, ""))
	read(voltage, 230)
	compare(t, read(current, 2000), power(46000, point.Uncertain, "current: above 100"))
	read(voltage, 65535)
	compare(t, read(current, 10), power(65535, point.Uncertain, "above 20000"))

	at = at.Add(time.Second)
	timeout := blocks[voltage].AppendBad(nil, "d", "timeout", at)
	compare(t, decoder.Derive(nil, timeout), power(0, point.Bad, "voltage-l1: timeout"))
	compare(t, read(current, 10), nil)
	compare(t, read(voltage, 200), power(200, point.Good, ""))
}

func TestDerivedBeforeItsInputsAreKnown(t *testing.T) {
	d := readSite(t, `{id: a, register: holding 0x0000}, {id: b, register: input 0x0000}, {id: sum, expr: a + b}, {id: ratio, expr: a / b}`)
	decoder := mapping.NewDecoder(&d)
	blocks := plan(&d, mapping.Terms{Line: slow})
	bad := func(id, why string) point.Reading {
		return point.Reading{Device: "d", Point: id, Quality: point.Bad, Reason: why}
	}
	compare(t, decoder.Derive(nil, blocks[0].AppendBad(nil, "d", "timeout", time.Time{})), []point.Reading{bad("sum", "b: timeout"), bad("ratio", "b: timeout")})
	decoder.Append(nil, &blocks[1], []byte{0, 7}, time.Time{})
	got := decoder.Append(nil, &blocks[0], []byte{0, 0}, time.Time{})[1:]
	compare(t, got, []point.Reading{{Device: "d", Point: "sum", Value: point.FloatValue(7)}, bad("ratio", "not a number")})
}
