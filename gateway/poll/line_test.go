package poll_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/sim"
	simdevice "sluice/drivers/sim/device"
	"sluice/gateway/poll"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// rig is a poller on a real bus and a simulated line, all in virtual time.
type rig struct {
	*poll.Poller
	sim *sim.Bus
	bus *bus.Bus

	mu   sync.Mutex
	good map[string][]time.Time // when a point was read, by "device/point"
	last map[string]point.Reading
}

// startRig runs a poller until the test or stop ends it. Every device is a
// memory of 200 holding registers unless units says otherwise.
func startRig(t *testing.T, devices []mapping.Device, units map[modbus.UnitID]sim.Unit) (r *rig, stop func()) {
	t.Helper()
	for i := range devices {
		if _, ok := units[devices[i].Unit]; ok {
			continue
		}
		if units == nil {
			units = map[modbus.UnitID]sim.Unit{}
		}
		memory := &simdevice.Memory{simdevice.Holding: make([]uint16, 200)}
		units[devices[i].Unit] = sim.Unit{Device: memory, Latency: 5 * ms}
	}
	r = &rig{good: map[string][]time.Time{}, last: map[string]point.Reading{}}
	r.sim = sim.New(sim.Config{Line: line, Units: units, Strict: true})
	port, doubts := sim.NewMemPort(), new(modbus.Doubts)
	log := slog.New(slog.DiscardHandler)
	r.bus = bus.New(bus.Config{ID: "b", Line: line, Open: func(context.Context) (bus.Transport, error) {
		return rtu.New(port, rtu.Config{Line: line, Doubts: doubts}), nil
	}}, log)
	exchange := func(p bus.Priority) poll.Exchange {
		return func(ctx context.Context, req modbus.Request, t modbus.Timing) (poll.Response, error) {
			a, err := r.bus.Do(ctx, p, req, t)
			return poll.Response(a), err
		}
	}
	r.Poller = poll.New(poll.Config{Bus: "b", Line: line, Devices: devices, Emit: r.emit,
		Exchange: exchange(bus.Poll), Command: exchange(bus.Command)}, log)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = r.sim.Serve(ctx, port) })
	running.Go(func() { _ = r.bus.Run(ctx) })
	running.Go(func() { _ = r.Run(ctx) })
	return r, func() {
		cancel()
		running.Wait()
	}
}

func (r *rig) emit(_ context.Context, readings []point.Reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range readings {
		id := x.Device + "/" + x.Point
		r.last[id] = x
		if x.Quality == point.Good {
			r.good[id] = append(r.good[id], x.Time)
		}
	}
}

// read is when a point was read.
func (r *rig) read(id string) []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.good[id])
}

// intervals are the times between two good readings of a point since a moment.
func (r *rig) intervals(since time.Time, match func(id string) bool) (out []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.good {
		for i := 1; i < len(at); i++ {
			if match(id) && at[i].After(since) {
				out = append(out, at[i].Sub(at[i-1]))
			}
		}
	}
	slices.Sort(out)
	return out
}

// absent makes units fall silent or come back.
func (r *rig) absent(away bool, units ...modbus.UnitID) {
	f := sim.Faults{}
	if away {
		f.Silent = 1
	}
	for _, u := range units {
		r.sim.SetUnitFaults(u, f)
	}
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// tenRegisters are units that are each read by one request of ten registers.
func tenRegisters(n int, every time.Duration) []mapping.Device {
	long, err := layout.New(layout.Config{Type: layout.String, Words: 10})
	if err != nil {
		panic(err)
	}
	devices := make([]mapping.Device, n)
	for i := range devices {
		devices[i] = mapping.Device{ID: fmt.Sprintf("u%02d", i+1), Unit: modbus.UnitID(i + 1), Timeout: 500 * ms, OfflineAfter: 3, OfflineTime: 3 * time.Second,
			Points: []mapping.Point{{ID: "p", Register: mapping.Register{Table: mapping.Holding}, Layout: long, Interval: every}}}
	}
	return devices
}

// TestAbsentUnits has 16 units on a line that is used for three quarters. Some
// of them are away for five minutes, and the others must not notice.
func TestAbsentUnits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		away   []modbus.UnitID
		never  bool // they have not been there before either
		p99    time.Duration
		wasted float64 // share of the bus
		back   time.Duration
	}{
		{"1 of 16 goes", []modbus.UnitID{5}, false, 1100 * ms, 0.02, 10 * time.Second},
		{"4 of 16 go", []modbus.UnitID{1, 5, 9, 13}, false, 1100 * ms, 0.027, 15 * time.Second}, // 0.005 of it to find out
		{"1 of 16 was never there", []modbus.UnitID{5}, true, 1100 * ms, 0.02, 11 * time.Second},
		{"4 of 16 were never there", []modbus.UnitID{1, 5, 9, 13}, true, 1100 * ms, 0.02, 45 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, stop := startRig(t, tenRegisters(16, time.Second), nil)
			defer stop()
			if tt.never {
				r.absent(true, tt.away...)
			}
			time.Sleep(time.Minute)
			before := r.bus.Stats().Busy
			time.Sleep(time.Minute)
			load := (r.bus.Stats().Busy - before).Seconds() / 60
			gone, unanswered := time.Now(), r.Stats().Unanswered
			r.absent(true, tt.away...)
			time.Sleep(5 * time.Minute)
			wasted := (r.Stats().Unanswered - unanswered).Seconds() / 300
			others := r.intervals(gone, func(id string) bool {
				return !slices.ContainsFunc(tt.away, func(u modbus.UnitID) bool { return id == fmt.Sprintf("u%02d/p", u) })
			})
			back := time.Now()
			r.absent(false, tt.away...)
			time.Sleep(tt.back)
			longest := time.Duration(0)
			for _, u := range tt.away {
				at := r.read(fmt.Sprintf("u%02d/p", u))
				i := slices.IndexFunc(at, back.Before)
				if i < 0 {
					t.Fatalf("%s: unit %d is not back after %v: %+v", tt.name, u, tt.back, r.Stats())
				}
				longest = max(longest, at[i].Sub(back))
			}
			p50, p99, worst := quantile(others, 0.5), quantile(others, 0.99), others[len(others)-1]
			t.Logf("%s, %.0f %% load: the others every %v, p99 %v, longest %v; %.1f %% of the bus wasted; back after %v",
				tt.name, 100*load, p50, p99, worst, 100*wasted, longest)
			if p50 < 999*ms || p50 > 1005*ms || p99 > tt.p99 {
				t.Errorf("%s: the others are read every %v, p99 %v; want 1s and %v at most", tt.name, p50, p99, tt.p99)
			}
			if wasted > tt.wasted {
				t.Errorf("%s: %.1f %% of the bus wasted, want %.1f %% at most", tt.name, 100*wasted, 100*tt.wasted)
			}
		})
	}
}

// TestOverload asks a line for more than it can carry. Two points of high
// priority keep their period; all others slow down evenly.
func TestOverload(t *testing.T) {
	for _, tt := range []struct {
		units int
		rest  time.Duration // bound of the others' periods
	}{{22, 1300 * ms}, {24, 1350 * ms}} {
		synctest.Test(t, func(t *testing.T) {
			devices := tenRegisters(tt.units, time.Second)
			for i := range 2 {
				devices[i].Points[0].Interval, devices[i].Points[0].Priority = 500*ms, true
			}
			r, stop := startRig(t, devices, nil)
			defer stop()
			time.Sleep(time.Minute)
			begin, before := time.Now(), r.bus.Stats()
			time.Sleep(2 * time.Minute)
			after := r.bus.Stats()
			used := after.Busy - before.Busy
			asked := float64(tt.units+2) * used.Seconds() / float64(after.Exchanges-before.Exchanges)
			isHigh := func(id string) bool { return id <= "u02/p" }
			high := r.intervals(begin, isHigh)
			rest := r.intervals(begin, func(id string) bool { return !isHigh(id) })
			t.Logf("%.0f %% asked for, %.0f %% used: high priority every %v, %v to %v, of 500ms; the rest every %v, p99 %v, longest %v of 1s; %d overruns",
				100*asked, 100*used.Seconds()/120, quantile(high, 0.5), high[0], high[len(high)-1],
				quantile(rest, 0.5), quantile(rest, 0.99), rest[len(rest)-1], r.Stats().Overruns)
			if shortest, longest := high[0], high[len(high)-1]; shortest < 475*ms || longest > 525*ms {
				t.Errorf("high priority is read every %v to %v, want 500ms within 5 %%", shortest, longest)
			}
			if p99 := quantile(rest, 0.99); p99 > tt.rest {
				t.Errorf("the rest is read every %v in the worst of a hundred, want %v at most", p99, tt.rest)
			}
		})
	}
}

// TestSameUnitOnAnotherBus has unit 3 of one line away while that of another
// answers: nothing is shared between lines.
func TestSameUnitOnAnotherBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, stopOne := startRig(t, tenRegisters(4, time.Second), nil)
		defer stopOne()
		two, stopTwo := startRig(t, tenRegisters(4, time.Second), nil)
		defer stopTwo()
		time.Sleep(time.Minute)
		gone := time.Now()
		one.absent(true, 3)
		time.Sleep(time.Minute)
		if got := one.Stats().Offline; got != 1 {
			t.Errorf("%d devices offline on the line that lost one", got)
		}
		others := two.intervals(gone, func(string) bool { return true })
		if got := two.Stats(); got.Offline != 0 || got.Unanswered != 0 || others[0] != time.Second || others[len(others)-1] != time.Second {
			t.Errorf("the other line is read every %v to %v, stats %+v", others[0], others[len(others)-1], got)
		}
	})
}
