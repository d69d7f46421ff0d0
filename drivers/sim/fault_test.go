package sim_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
)

func TestFaultsAtCertainty(t *testing.T) {
	request, good := frame(t, ask), frame(t, answer)
	oneByteLess := func(b []byte) bool {
		for i := range good {
			if bytes.Equal(b, slices.Delete(bytes.Clone(good), i, i+1)) {
				return true
			}
		}
		return false
	}
	for _, tt := range []struct {
		name   string
		faults sim.Faults
		after  time.Duration // of the last character
		ok     func(heard []byte) bool
		faulty uint64
	}{
		{"none", sim.Faults{}, 40500 * time.Microsecond, func(b []byte) bool { return bytes.Equal(b, good) }, 0},
		{"silent", sim.Faults{Silent: 1}, 0, func(b []byte) bool { return b == nil }, 1},
		{"late", sim.Faults{Late: 1, LateMin: 300 * ms, LateMax: 300 * ms}, 340500 * time.Microsecond,
			func(b []byte) bool { return bytes.Equal(b, good) }, 1},
		{"exception", sim.Faults{Exception: 1}, 36500 * time.Microsecond,
			func(b []byte) bool {
				return bytes.Equal(b, frame(t, "01 83 04")) || bytes.Equal(b, frame(t, "01 83 06"))
			}, 1},
		{"wrong unit", sim.Faults{WrongUnit: 1}, 40500 * time.Microsecond,
			func(b []byte) bool { return b[0] != 1 && bytes.Equal(b[1:7], good[1:7]) && modbus.ValidCRC(b) }, 1},
		{"drop", sim.Faults{Drop: 1}, 39500 * time.Microsecond, oneByteLess, 1},
		{"truncate", sim.Faults{Truncate: 1}, 35500 * time.Microsecond, func(b []byte) bool { return bytes.Equal(b, good[:4]) }, 1},
		{"insert", sim.Faults{Insert: 1}, 0,
			func(b []byte) bool { return len(b) >= 10 && len(b) <= 12 && bytes.HasSuffix(b, good) }, 1},
		{"trail", sim.Faults{Trail: 1}, 0,
			func(b []byte) bool { return len(b) >= 10 && len(b) <= 12 && bytes.HasPrefix(b, good) }, 1},
		{"duplicate", sim.Faults{Duplicate: 1}, 49500 * time.Microsecond,
			func(b []byte) bool { return bytes.Equal(b, slices.Concat(good, good)) }, 1},
		{"echo", sim.Faults{Echo: 1}, 40500 * time.Microsecond,
			func(b []byte) bool { return bytes.Equal(b, slices.Concat(request, good)) }, 0},
		{"bit errors", sim.Faults{BitErrors: 1}, 0, func(b []byte) bool { return b == nil }, 0}, // the request is lost
		{"everything", sim.Faults{
			Late: 1, LateMin: 1, LateMax: 2, Exception: 1, WrongUnit: 1, Drop: 1, Truncate: 1, Insert: 1, Trail: 1, Duplicate: 1,
		}, 0, func(b []byte) bool { return len(b) >= 8 }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			simulate(t, oneUnit(), func(h host) {
				h.bus.SetFaults(tt.faults)
				h.write(request)
				heard, arrivals := h.hear()
				if !tt.ok(heard) {
					h.Errorf("heard %x", heard)
				}
				if tt.after != 0 && arrivals[len(arrivals)-1].after != tt.after {
					h.Errorf("last character after %v, want %v", arrivals[len(arrivals)-1].after, tt.after)
				}
				if got := h.bus.Stats().Faulty; got != tt.faulty {
					h.Errorf("%d faulty replies counted, want %d", got, tt.faulty)
				}
			})
		})
	}
}

func TestFaultsOfOneUnit(t *testing.T) {
	cfg := oneUnit()
	cfg.Units[2] = sim.Unit{Device: registers()}
	simulate(t, cfg, func(h host) {
		h.bus.SetUnitFaults(2, sim.Faults{Silent: 1})
		h.expect(ask, answer)
		h.expect("02 03 0000 0001", "")
		h.bus.SetUnitFaults(2, sim.Faults{BitErrors: 1}) // of its replies only
		inverted := frame(h, "02 03 02 0064")
		for i := range inverted {
			inverted[i] ^= 0xFF
		}
		if got := h.ask("02 03 0000 0001"); !bytes.Equal(got, inverted) {
			h.Errorf("got %x, want %x", got, inverted)
		}
		h.bus.SetFaults(sim.Faults{Silent: 1}) // of everybody
		h.expect(ask, "")
		h.bus.SetFaults(sim.Faults{})
		h.expect(ask, answer)
		h.expect("02 03 0000 0001", "02 03 02 0064")
	})
}

func TestRefusedRequestIsNotCarriedOut(t *testing.T) {
	simulate(t, oneUnit(), func(h host) {
		h.bus.SetFaults(sim.Faults{Exception: 1})
		h.ask("01 06 0000 0001")
		h.bus.SetFaults(sim.Faults{Silent: 1})
		h.expect("01 06 0001 0001", "") // is carried out
		h.bus.SetFaults(sim.Faults{})
		h.expect("01 03 0000 0002", "01 03 04 0064 0001")
	})
}

func TestFaultsDoNotWakeUnitsThatIgnore(t *testing.T) {
	cfg := oneUnit()
	u := cfg.Units[1]
	u.Ignores = []modbus.Function{modbus.Diagnostics}
	cfg.Units[1] = u
	simulate(t, cfg, func(h host) {
		h.bus.SetFaults(sim.Faults{Exception: 1, Insert: 1, Duplicate: 1})
		h.expect("01 08 0000 1234", "")
	})
}

func TestFaultsAreAsFrequentAsAsked(t *testing.T) {
	simulate(t, oneUnit(), func(h host) {
		h.bus.SetFaults(sim.Faults{Silent: 0.3})
		silent := 0
		for range 1000 {
			if h.ask(ask) == nil {
				silent++
			}
		}
		if silent < 250 || silent > 350 || h.bus.Stats().Faulty != uint64(silent) {
			h.Errorf("%d of 1000 silent, %d counted", silent, h.bus.Stats().Faulty)
		}
	})
}

// TestFaultsOfAnswers has every fault on replies that are not a unit's, of which one
// is damaged from the start.
func TestFaultsOfAnswers(t *testing.T) {
	for name, f := range map[string]sim.Faults{
		"silent": {Silent: 1}, "exception": {Exception: 1}, "busy": {Busy: 1}, "wrong unit": {WrongUnit: 1}, "drop": {Drop: 1},
		"truncate": {Truncate: 1}, "trail": {Trail: 1}, "duplicate": {Duplicate: 1},
	} {
		for _, good := range []string{"\x01\x03\x02\x00\x07\xf9\x86", "\x01\x03\x02\x00\x07\x00\x00"} {
			synctest.Test(t, func(t *testing.T) {
				b := sim.New(sim.Config{
					Line:   modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
					Answer: func([]byte) ([]byte, time.Duration) { return []byte(good), 10 * time.Millisecond },
				})
				b.SetFaults(f)
				port := sim.NewMemPort()
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- b.Serve(ctx, port) }()
				port.Write([]byte("\x01\x03\x00\x00\x00\x01\x84\x0a"))
				time.Sleep(100 * time.Millisecond)
				port.SetReadTimeout(0)
				got := make([]byte, 64)
				n, _ := port.Read(got)
				damagedAlready := name == "wrong unit" && !modbus.ValidCRC([]byte(good))
				if string(got[:n]) == good && !damagedAlready || b.Stats().Faulty != 1 {
					t.Errorf("%s: % x, %+v", name, got[:n], b.Stats())
				}
				cancel()
				<-ended
			})
		}
	}
}
