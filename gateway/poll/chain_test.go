package poll_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

// models is a device that lists its models behind 50000; it has nothing at 40000.
func models(chain ...uint16) func(modbus.Request) ([]byte, error) {
	return func(req modbus.Request) ([]byte, error) {
		if req.Address < 50000 {
			return nil, &modbus.Error{Fault: modbus.Refused, Exception: 2}
		}
		data := make([]byte, 2*req.Count)
		for i := range req.Count {
			if at := int(req.Address - 50000 + i); at < len(chain) {
				binary.BigEndian.PutUint16(data[2*i:], chain[at])
			}
		}
		return data, nil
	}
}

// TestChain has a device whose models stand elsewhere than the template has them:
// it is asked for them first, and again when it was away, and a point of a model
// that it lacks is bad and never asked for.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		listed := models(0x5375, 0x6E53, 1, 3, 11, 12, 13, 103, 2, 21, 22, 0xFFFF, 0)
		s.reply = func(req modbus.Request) ([]byte, error) {
			if since := time.Since(s.start); since > 1500*ms && since < 6*time.Second {
				return silent()
			}
			return listed(req)
		}
		d := at(time.Second, 40003, 40012, 40013, 40100)
		d.Chain = &mapping.Chain{Bases: []uint16{40000, 50000}, Models: []mapping.Model{
			{IDs: []uint16{1}, At: 40002}, {IDs: []uint16{101, 103}, At: 40010}, {IDs: []uint16{203}, At: 40100},
		}}
		s.run(t, 20*time.Second, d) // it is found again 10 s after its return at the latest
		const walk = "40000+2 50000+2 50002+2 50007+2 50011+2 50003+8"
		got := s.requests()
		if !strings.HasPrefix(got, walk) || strings.Count(got, walk) != 2 {
			t.Errorf("asked for %s, want %s first and on return", got, walk)
		}
		if strings.Contains(got, "40100") {
			t.Errorf("asked for %s, but the device has no model 203", got)
		}
		want := map[string]string{"p0": "3", "p1": "21", "p2": "22", "p3": "the device has no SunSpec model 203"}
		last := map[string]string{}
		for _, r := range s.emitted {
			last[r.Point] = r.Reason
			if r.Quality == point.Good {
				last[r.Point] = r.Value.String()
				if r.Value.String() != want[r.Point] {
					t.Errorf("%s reads %v, want %s", r.Point, r.Value, want[r.Point])
				}
			}
		}
		for id, w := range want {
			if last[id] != w {
				t.Errorf("%s is %q at the end, want %q", id, last[id], w)
			}
		}
	})
}

// TestChainLater has a device that lists no models at first, as while it starts: it
// is asked for them every few seconds, what is in none of them is read meanwhile,
// and nothing counts as missed when it lists them.
func TestChainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		listed := models(0x5375, 0x6E53, 1, 3, 11, 12, 13, 0xFFFF, 0)
		s.reply = func(req modbus.Request) ([]byte, error) {
			if time.Since(s.start) < 20*time.Second && req.Address >= 50000 {
				return nil, &modbus.Error{Fault: modbus.Refused, Exception: 2}
			}
			if req.Address < 40000 {
				return make([]byte, 2*req.Count), nil
			}
			return listed(req)
		}
		d := at(time.Second, 100, 40003)
		d.Chain = &mapping.Chain{Bases: []uint16{50000}, Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}}}
		p := s.run(t, 40*time.Second, d)
		walks := strings.Count(s.requests(), "50000+2")
		if walks < 4 || walks > 10 {
			t.Errorf("asked %d times for the models", walks)
		}
		good := map[string]int{}
		for _, r := range s.emitted {
			if r.Quality == point.Good {
				good[r.Point]++
			}
		}
		if good["p0"] != 40 || good["p1"] < 10 || good["p1"] > 20 {
			t.Errorf("%d and %d good readings, want 40 of what is in no model, and those since it lists it", good["p0"], good["p1"])
		}
		if n := p.Stats().Overruns; n != 0 {
			t.Errorf("%d overruns", n)
		}
	})
}

// TestNoChain has a device that lists no models: nothing of it is read from where
// something else may stand.
func TestNoChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		d := at(time.Second, 40003, 40012)
		d.Chain = &mapping.Chain{Bases: []uint16{40000, 0}, Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}}}
		s.run(t, 3*time.Second, d)
		if got := s.requests(); strings.ReplaceAll(got, "40000+2 0+2", "") != "" && got != "40000+2 0+2 40000+2 0+2" {
			t.Errorf("asked for %s, want the bases only", got)
		}
		if len(s.emitted) != 2 || s.emitted[0].Reason != "the device lists no SunSpec models" {
			t.Errorf("readings %+v, want both points bad with the reason", s.emitted)
		}
	})
}

// TestChainShort has a device whose model is shorter than the template's: what
// stands behind it there belongs to the next model.
func TestChainShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		s.reply = models(0x5375, 0x6E53, 103, 1, 21, 160, 1, 99, 0xFFFF, 0)
		d := at(time.Second, 40012, 40013)
		d.Chain = &mapping.Chain{Bases: []uint16{50000}, Models: []mapping.Model{{IDs: []uint16{101, 103}, At: 40010}}}
		s.run(t, 1500*ms, d)
		for _, r := range s.emitted {
			if r.Point == "p0" && r.Value.String() != "21" {
				t.Errorf("%s is %v %s, want 21", r.Point, r.Value, r.Reason)
			}
			if r.Point == "p1" && r.Reason != "the device's SunSpec model 103 ends before it" {
				t.Errorf("%s is %v %q, want nothing of another model", r.Point, r.Value, r.Reason)
			}
		}
		if len(s.emitted) < 2 {
			t.Errorf("readings %+v", s.emitted)
		}
	})
}

// TestChainProbed has a device that lists no models and does not answer once: what
// the probe reads, where the template has a point, is no reading.
func TestChainProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &site{takes: 10 * ms}
		asked := 0
		s.reply = func(req modbus.Request) ([]byte, error) {
			if asked++; asked == 2 {
				return silent()
			}
			return make([]byte, 2*req.Count), nil
		}
		d := at(time.Second, 40003)
		d.Chain = &mapping.Chain{Bases: []uint16{40000}, Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}}}
		s.run(t, 20*time.Second, d)
		if !strings.Contains(s.requests(), "40003+1") {
			t.Fatalf("asked for %s, want a probe", s.requests())
		}
		for _, r := range s.emitted {
			if r.Quality != point.Bad {
				t.Errorf("%s is %v, want no value", r.Point, r.Value)
			}
		}
	})
}
