package main

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/configs"
	"sluice/drivers/modbus"
	"sluice/drivers/scan"
	"sluice/drivers/sim/device"
	"sluice/gateway/config"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// readings reads all points of a device from its twin, as a gateway would.
func readings(t *testing.T, w *twin, d mapping.Device, at time.Time) map[string]point.Reading {
	t.Helper()
	all := map[string]point.Reading{}
	for _, b := range d.Plan(d.All(), mapping.Terms{Line: fast}) {
		req := b.Request
		pdu := []byte{byte(req.Function), byte(req.Address >> 8), byte(req.Address), byte(req.Count >> 8), byte(req.Count)}
		reply := device.Answer(w, at, pdu)
		if reply[0] != byte(req.Function) {
			t.Fatalf("%v of %d at %d: %x", req.Function, req.Count, req.Address, reply)
		}
		for _, r := range b.AppendReadings(nil, d.ID, reply[2:], at) {
			all[r.Point] = r
		}
	}
	return all
}

// TestTwinOfReference has every kind of point that the reference shows.
func TestTwinOfReference(t *testing.T) {
	text, _, _ := strings.Cut(configs.Reference, "\nbroker:")        // what follows names files of a site
	text = strings.Replace(text, "include: [devices/*.yaml]", "", 1) // which are on a site only
	cfg, err := config.Parse("site.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d, now := cfg.Devices[0], time.Now()
	w := newTwin(d, now)
	seen := map[string]map[point.Value]bool{}
	for i := range 200 {
		for id, r := range readings(t, w, d, now.Add(time.Duration(i)*time.Second)) {
			if r.Quality != point.Good {
				t.Fatalf("%s: %v: %s", id, r.Quality, r.Reason)
			}
			if seen[id] == nil {
				seen[id] = map[point.Value]bool{}
			}
			seen[id][r.Value] = true
		}
	}
	for v := range seen["steam-pressure"] {
		if v.Float() < 2.8 || v.Float() > 3.6 {
			t.Errorf("steam-pressure %v bar", v)
		}
	}
	for v := range seen["feed-temp"] {
		if v.Float() < 16.9 || v.Float() > 25.1 {
			t.Errorf("feed-temp %v °C", v)
		}
	}
	for id, least := range map[string]int{"steam-pressure": 100, "feed-temp": 20, "fault": 2, "burner-on": 2, "serial-number": 1} {
		if len(seen[id]) < least {
			t.Errorf("%s has %d values in 200 s, want %d or more", id, len(seen[id]), least)
		}
	}
	if !seen["serial-number"][point.TextValue("Steam boiler 1")] {
		t.Errorf("serial-number is %v", seen["serial-number"])
	}
	if id := w.Identity(); id.Product != "Steam boiler 1" {
		t.Errorf("%+v", id)
	}
}

// TestTwinFits has quantities in registers that are too small for them, and
// counters that grow.
func TestTwinFits(t *testing.T) {
	d := mapping.Device{ID: "d", Name: "pump é", Unit: 1}
	for i, tt := range []struct {
		typ   layout.Type
		scale float64
		unit  string
	}{
		{layout.Int8Low, 1, "V"}, {layout.Uint16, 0.1, "V"}, {layout.Uint16, 0.001, "°C"}, {layout.Uint16, 1, "kWh"},
		{layout.Uint32, 1, ""}, {layout.Float64, 1, "m³"}, {layout.Int16, 0.1, "mbar"}, {layout.Int48, 1, "Wh"},
	} {
		l, err := layout.New(layout.Config{Type: tt.typ, Scale: tt.scale})
		if err != nil {
			t.Fatal(err)
		}
		d.Points = append(d.Points, mapping.Point{ID: tt.typ.String() + tt.unit, Layout: l, Unit: tt.unit,
			Register: mapping.Register{Table: mapping.Input, Address: uint16(10 * i)}})
	}
	now := time.Now()
	w := newTwin(d, now)
	first := readings(t, w, d, now)
	later := readings(t, w, d, now.Add(10*time.Hour))
	for id, r := range first {
		if r.Value.Float() == 0 {
			t.Errorf("%s is 0", id)
		}
		if grown := later[id].Value.Float() - r.Value.Float(); strings.HasSuffix(id, "Wh") && grown <= 0 {
			t.Errorf("%s grows by %v in ten hours", id, grown)
		}
	}
	if v := first["int8-lowV"].Value.Float(); v < 22 || v > 24 {
		t.Errorf("a voltage in a byte is %v", v)
	}
	if id := w.Identity(); id.Product != "pump " {
		t.Errorf("%+v", id)
	}
}

func TestTwinIsWritten(t *testing.T) {
	text, err := os.ReadFile(siteOn(t, "/dev/none"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("site.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w := newTwin(cfg.Devices[0], now)
	for _, tt := range []struct {
		request, reply string
	}{
		{"\x06\x00\x00\x06\xA4", "\x06\x00\x00\x06\xA4"},
		{"\x03\x00\x00\x00\x01", "\x03\x02\x06\xA4"},
		{"\x05\x00\x02\xFF\x00", "\x05\x00\x02\xFF\x00"},
		{"\x01\x00\x02\x00\x01", "\x01\x01\x01"},
		{"\x06\x00\x02\x00\x01", "\x86\x02"}, // holds no point
		{"\x03\x00\x01\x00\x02", "\x83\x02"}, // beyond the last point
		{"\x02\x00\x00\x00\x01", "\x82\x01"}, // no discrete at all
	} {
		if got := device.Answer(w, now.Add(time.Minute), []byte(tt.request)); string(got) != tt.reply {
			t.Errorf("%x: %x, want %x", tt.request, got, tt.reply)
		}
	}
}

// TestTwinOfTemplates has a twin of every built-in template: all its points have a
// value, and scan names them.
func TestTwinOfTemplates(t *testing.T) {
	// A twin reads 0 between two points, which is a plausible distortion too.
	alike := map[string]string{"eastron-sdm72-v2": "eastron-sdm630"}
	library := config.OpenLibrary(t.TempDir())
	for _, name := range library.Names() {
		cfg, err := config.Parse("site.yaml", []byte(strings.Replace(configs.Minimal, "eastron-sdm630", name, 1)))
		if err != nil {
			t.Fatal(err)
		}
		d, now := cfg.Devices[0], time.Now()
		w := newTwin(d, now)
		if tmpl, _, _, ok := library.Describe(name); ok && d.Chain == nil {
			w.resemble(tmpl.Probe, d.Unit)
		}
		for id, r := range readings(t, w, d, now) {
			if r.Quality != point.Good {
				t.Errorf("%s: %s: %v: %s", name, id, r.Quality, r.Reason)
			}
		}
		unit := scan.Unit{ID: d.Unit, Identity: scan.Identity{Server: []byte(w.Identity().Product)}}
		got := namer()(unit, func(req modbus.Request) ([]byte, error) {
			reply := device.Answer(w, now, []byte{byte(req.Function), byte(req.Address >> 8), byte(req.Address), byte(req.Count >> 8), byte(req.Count)})
			if reply[0] != byte(req.Function) {
				return nil, &modbus.Error{Fault: modbus.Refused, Exception: reply[1]}
			}
			return reply[2:], nil
		})
		if tmpl, _, _, _ := library.Describe(name); len(tmpl.Probe) > 0 && !slices.Contains(got, cmp.Or(alike[name], name)) {
			t.Errorf("the twin of a %s is taken for %q", name, got)
		}
	}
}
