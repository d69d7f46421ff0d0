package mapping_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/layout"
)

var fast = modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// scan is the time of reading all points of a device once.
func scan(blocks []mapping.Block, t mapping.Terms) time.Duration {
	sum := time.Duration(0)
	for _, b := range blocks {
		sum += t.Time(b.Request)
	}
	return sum
}

// TestScanTime has the real register maps read in the least possible time; the
// figures are those of a shortest path computed by another program.
func TestScanTime(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sample   sample
		line     modbus.Line
		perValue time.Duration
		best     time.Duration
	}{
		{"SDM630", sdm630(), slow, 2366 * time.Millisecond, 407 * time.Millisecond},
		{"SDM630", sdm630(), fast, 1325 * time.Millisecond, 99 * time.Millisecond},
		{"SunSpec", sunspec(), slow, 1662 * time.Millisecond, 299 * time.Millisecond},
		{"SunSpec", sunspec(), fast, 963 * time.Millisecond, 76 * time.Millisecond},
		{"Growatt", growatt(), slow, 1206 * time.Millisecond, 345 * time.Millisecond},
		{"Growatt", growatt(), fast, 686 * time.Millisecond, 76 * time.Millisecond},
	} {
		const host = 500 * time.Microsecond // of the computer, in the figures
		terms := mapping.Terms{Line: tt.line, Latency: 20*time.Millisecond + host + tt.line.Silence()}
		blocks, asked := learn(t, &tt.sample, &terms)
		took := scan(blocks, terms)
		single := time.Duration(0)
		for i := range tt.sample.device.Points {
			single += scan(tt.sample.device.Plan([]*mapping.Point{&tt.sample.device.Points[i]}, terms), terms)
		}
		t.Logf("%s at %d: %d values in %d blocks, %v; per value %v; %d requests to learn %d walls", tt.name, tt.line.Baud,
			len(tt.sample.device.Points), len(blocks), took.Round(time.Millisecond), single.Round(time.Millisecond), asked, len(terms.Known.Walls))
		near(t, tt.name, took, tt.best)
		near(t, tt.name+" per value", single, tt.perValue)
		if asked > 16 {
			t.Errorf("%s: %d requests to learn what is refused, want 16 at most", tt.name, asked)
		}
	}
}

func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if (got - want).Abs() > want/100 {
		t.Errorf("%s: %v, want %v within 1 %%", what, got, want)
	}
}

// learn plans a device, asks for every block, and searches when one is refused,
// until none is. It returns the plan and how many requests were for nothing but
// learning.
func learn(t *testing.T, s *sample, terms *mapping.Terms) (blocks []mapping.Block, asked int) {
	t.Helper()
again:
	blocks = plan(&s.device, *terms)
	for _, b := range blocks {
		if !s.refuses(b.Request) {
			continue
		}
		f, n := search(&b, s.refuses)
		asked += 1 + n
		terms.Known.Learn(f)
		if asked > 1000 {
			t.Fatalf("%s: the search does not end: %+v", s.device.ID, terms.Known)
		}
		goto again
	}
	return blocks, asked
}

func search(b *mapping.Block, refuses func(modbus.Request) bool) (f mapping.Finding, asked int) {
	if len(b.Points()) == 1 {
		return mapping.Finding{Point: b.Points()[0]}, 0
	}
	s := mapping.NewSearch(b)
	for {
		next, ok := s.Next()
		if !ok {
			return f, asked
		}
		asked++
		f, _ = s.Tell(refuses(next.Request))
	}
}

func TestSearch(t *testing.T) {
	covers := func(bad ...int) func(modbus.Request) bool {
		return func(req modbus.Request) bool {
			for _, a := range bad {
				if a >= int(req.Address) && a < int(req.Address)+int(req.Count) {
					return true
				}
			}
			return false
		}
	}
	for _, tt := range []struct {
		name      string
		addresses []uint16
		refuses   func(modbus.Request) bool
		want      string
	}{
		{"a hole", []uint16{0, 1, 4, 6, 9, 10}, covers(7), "wall 7-9 after 5"},
		{"the only hole", []uint16{0, 3}, covers(1), "wall 1-3 after 2"},
		{"one hole of two", []uint16{0, 2, 4, 6}, covers(1, 5), "wall 1-2 after 3"},
		{"the first point", []uint16{0, 2, 4, 6}, covers(0), "point r0 after 2"},
		{"the last point", []uint16{0, 2, 4, 6}, covers(6), "point r6 after 3"},
		{"a border", []uint16{3, 4, 5, 6}, func(req modbus.Request) bool { return req.Address < 5 && req.Address+req.Count > 5 }, "wall 5-5 after 4"},
		{"the size", []uint16{0, 2, 4, 6}, func(req modbus.Request) bool { return req.Count > 3 }, "most 3 after 4"},
	} {
		d := &mapping.Device{Unit: 1}
		for _, a := range tt.addresses {
			d.Points = append(d.Points, pointAt(fmt.Sprint("r", a), mapping.Holding, a, layout.Uint16))
		}
		b := plan(d, mapping.Terms{Line: slow})[0]
		f, asked := search(&b, tt.refuses)
		got := fmt.Sprintf("wall %d-%d after %d", f.Wall.From, f.Wall.To, asked)
		switch {
		case f.Point != nil:
			got = fmt.Sprintf("point %s after %d", f.Point.ID, asked)
		case f.Most > 0:
			got = fmt.Sprintf("most %d after %d", f.Most, asked)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestLearnRandomMaps has devices that refuse some holes: each is found within
// 16 requests, and the plan is then as good as if the holes had been known.
func TestLearnRandomMaps(t *testing.T) {
	requests, walls := 0, 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		s, bad := randomMap(r)
		terms := mapping.Terms{Line: slow}
		blocks, asked := learn(t, &s, &terms)
		if n := len(terms.Known.Walls); asked > 16*n {
			t.Errorf("map %d: %d requests to learn %d walls", seed, asked, n)
		}
		requests, walls = requests+asked, walls+len(terms.Known.Walls)
		known := mapping.Terms{Line: slow, Known: mapping.Knowledge{Walls: bad}}
		if got, want := scan(blocks, terms), scan(plan(&s.device, known), known); got != want {
			t.Errorf("map %d: the scan takes %v, knowing the holes %v", seed, got, want)
		}
	}
	t.Logf("300 maps: %.1f requests to learn %.1f walls", float64(requests)/300, float64(walls)/300)
}

// randomMap makes a device of clusters and holes, of which it refuses every
// seventh.
func randomMap(r *rand.Rand) (s sample, bad []mapping.Wall) {
	address := r.IntN(50)
	for range 10 + r.IntN(60) {
		words := []int{1, 1, 1, 2, 2, 4}[r.IntN(6)]
		s.values(mapping.Holding, words, time.Second, address)
		address += words
		hole := 0
		switch p := r.Float64(); {
		case p < .55:
		case p < .85:
			hole = 1 + r.IntN(12)
		default:
			hole = 10 + r.IntN(80)
		}
		if hole > 0 && r.Float64() < .15 {
			bad = append(bad, mapping.Wall{Table: mapping.Holding, From: address, To: address + hole})
		}
		address += hole
	}
	s.refuses = func(req modbus.Request) bool {
		for _, w := range bad {
			if int(req.Address) < w.From && w.To < int(req.Address)+int(req.Count) {
				return true
			}
		}
		return false
	}
	return s, bad
}

func TestLimits(t *testing.T) {
	points := func() (out []mapping.Point) {
		for _, a := range []uint16{0, 1, 3, 8, 9} {
			out = append(out, pointAt(fmt.Sprint("r", a), mapping.Holding, a, layout.Uint16))
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		limits mapping.Limits
		terms  mapping.Terms
		want   string
	}{
		{"none", mapping.Limits{}, mapping.Terms{}, "0+10"},
		{"no holes", mapping.Limits{MaxGap: -1}, mapping.Terms{}, "0+2 3+1 8+2"},
		{"small holes", mapping.Limits{MaxGap: 1}, mapping.Terms{}, "0+4 8+2"},
		{"four registers", mapping.Limits{MaxRegisters: 4}, mapping.Terms{}, "0+4 8+2"},
		{"four registers, as found out", mapping.Limits{}, mapping.Terms{Known: mapping.Knowledge{Most: [4]int{mapping.Holding: 4}}}, "0+4 8+2"},
		{"not longer than four registers take", mapping.Limits{}, mapping.Terms{Longest: readTime(4)}, "0+4 8+2"},
		{"not longer than nothing takes", mapping.Limits{}, mapping.Terms{Longest: 1}, "0+1 1+1 3+1 8+1 9+1"},
		{"a wall", mapping.Limits{}, mapping.Terms{Known: mapping.Knowledge{Walls: []mapping.Wall{{Table: mapping.Holding, From: 2, To: 3}}}}, "0+2 3+7"},
		{"a wall around a point", mapping.Limits{}, mapping.Terms{Known: mapping.Knowledge{Walls: []mapping.Wall{{Table: mapping.Holding, From: 3, To: 4}}}}, "0+2 3+1 8+2"},
		{"a wall of another table", mapping.Limits{}, mapping.Terms{Known: mapping.Knowledge{Walls: []mapping.Wall{{Table: mapping.Input, From: 2, To: 3}}}}, "0+10"},
		{"a device that answers at once", mapping.Limits{}, mapping.Terms{Latency: 1, Line: fast}, "0+10"},
	} {
		d := &mapping.Device{Unit: 1, Points: points(), Limits: tt.limits}
		if tt.terms.Line.Baud == 0 {
			tt.terms.Line = slow
		}
		got := ""
		for _, b := range plan(d, tt.terms) {
			got += fmt.Sprintf(" %d+%d", b.Request.Address, b.Request.Count)
		}
		if got = got[1:]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	s := sdm630()
	terms := mapping.Terms{Line: slow}
	points := s.device.All()
	b.ReportAllocs()
	for b.Loop() {
		s.device.Plan(points, terms)
	}
}
