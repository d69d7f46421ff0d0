package config_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/config"
	"sluice/mapping"
)

// extent is the registers that must be read for a point.
type extent struct {
	table      mapping.Table
	begin, end int
}

func extents(d *mapping.Device) []extent {
	var all []extent
	for _, p := range d.Points {
		if p.Register.Table.Bits() {
			continue
		}
		e := extent{p.Register.Table, int(p.Register.Address), int(p.Register.Address) + p.Layout.Words()}
		if f := p.Factor; f != nil {
			e.begin, e.end = min(e.begin, int(f.Register.Address)), max(e.end, int(f.Register.Address)+1)
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b extent) int { return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.begin, b.begin)) })
	return all
}

// least is the shortest time in which points can be read: by every way to cut them
// into requests of most registers, the best rest remembered.
func least(points []extent, t mapping.Terms, most int, known map[int]time.Duration) time.Duration {
	if len(points) == 0 {
		return 0
	}
	if best, ok := known[len(points)]; ok {
		return best
	}
	best, end := time.Duration(0), 0
	for i, p := range points {
		end = max(end, p.end)
		if p.table != points[0].table || end-points[0].begin > most {
			break
		}
		function := modbus.ReadHoldingRegisters
		if p.table == mapping.Input {
			function = modbus.ReadInputRegisters
		}
		takes := t.Time(modbus.Request{Function: function, Count: uint16(end - points[0].begin)}) + least(points[i+1:], t, most, known)
		if best == 0 || takes < best {
			best = takes
		}
	}
	known[len(points)] = best
	return best
}

// TestDevicesPlan has every template read in the least time there is, as another
// way of computing it finds it, and an SDM630 at 9600 in 407 ms.
func TestDevicesPlan(t *testing.T) {
	for _, baud := range []int{9600, 115200} {
		line := modbus.Line{Baud: baud, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
		terms := mapping.Terms{Line: line, Latency: 20*time.Millisecond + 500*time.Microsecond + line.Silence()}
		for _, name := range config.OpenLibrary(t.TempDir()).Names() {
			d := deviceOf(t, name)
			d.Points = slices.DeleteFunc(d.Points, func(p mapping.Point) bool { return p.Register.Table.Bits() })
			takes := time.Duration(0)
			for _, b := range d.Plan(d.All(), terms) {
				takes += terms.Time(b.Request)
			}
			most := cmp.Or(d.Limits.MaxRegisters, 125)
			best := least(extents(&d), terms, most, map[int]time.Duration{})
			if takes > best+best/100 {
				t.Errorf("%s at %d takes %v, but %v is possible", name, baud, takes, best)
			}
			if want := 407 * time.Millisecond; name == "eastron-sdm630" && baud == 9600 && (takes-want).Abs() > want/100 {
				t.Errorf("%s at %d takes %v, want %v", name, baud, takes, want)
			}
		}
	}
}
