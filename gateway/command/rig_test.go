package command_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/sim"
	simdevice "sluice/drivers/sim/device"
	"sluice/gateway/command"
	"sluice/mapping"
	"sluice/mapping/layout"
)

var line = modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1}

// written is a simulated device that knows how often each value was written.
type written struct {
	simdevice.Memory
	mu     sync.Mutex
	values map[uint16]int
	clamp  uint16 // the highest it takes; 0: any
}

func (d *written) Write(at time.Time, t simdevice.Table, address uint16, words []uint16) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	value := words[0]
	if d.clamp > 0 && value > d.clamp {
		words = []uint16{d.clamp}
	}
	err := d.Memory.Write(at, t, address, words)
	if err == nil {
		d.values[value]++
	}
	return err
}

// rig is a commander, its bus and a simulated line with one device.
type rig struct {
	t       *testing.T
	device  *written
	line    *sim.Bus
	bus     *bus.Bus
	offline bool
	synced  bool
	config  mapping.Device
	dir     string // of the journal; empty: none

	*command.Commander
	journal *command.Journal
	stopped func()
	runs    sync.WaitGroup
	ends    []func()
	mu      sync.Mutex
	results []command.Result
}

const speed = "plant/pump/speed/set"

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, synced: true, device: &written{values: map[uint16]int{}}}
	r.device.Memory[simdevice.Holding] = make([]uint16, 10)
	r.device.Memory[simdevice.Coil] = make([]uint16, 10)
	r.line = sim.New(sim.Config{Line: line, Units: map[modbus.UnitID]sim.Unit{1: {Device: r.device, Latency: 5 * time.Millisecond}}, Adapter: sim.Adapter{Trigger: 1}, Seed: 7})
	r.config = mapping.Device{ID: "pump", Unit: 1, Timeout: 200 * time.Millisecond, Points: []mapping.Point{r.register(), {
		ID: "on", Register: mapping.Register{Table: mapping.Coil, Address: 3}, Write: &mapping.Writable{MaxAge: 10 * time.Second, Verify: true},
	}}}
	ctx, cancel := context.WithCancel(t.Context())
	port := sim.NewMemPort()
	var doubts modbus.Doubts
	r.bus = bus.New(bus.Config{ID: "b", Line: line, Open: func(context.Context) (bus.Transport, error) {
		return rtu.New(port, rtu.Config{Line: line, Doubts: &doubts}), nil
	}}, slog.New(slog.DiscardHandler))
	r.runs.Go(func() { _ = r.line.Serve(ctx, port) })
	r.runs.Go(func() { _ = r.bus.Run(ctx) })
	r.ends = append(r.ends, cancel)
	return r
}

func (r *rig) register() mapping.Point {
	l, err := layout.New(layout.Config{Type: layout.Uint16})
	if err != nil {
		r.t.Fatal(err)
	}
	return mapping.Point{
		ID: "speed", Register: mapping.Register{Table: mapping.Holding, Address: 2}, Layout: l,
		Write: &mapping.Writable{Verify: true, Bounded: true, Max: 60000, MaxAge: 10 * time.Second},
	}
}

// start runs a commander with the journal as it is on disk.
func (r *rig) start() {
	r.t.Helper()
	if r.dir != "" {
		var err error
		if r.journal, err = command.OpenJournal(r.dir, slog.New(slog.DiscardHandler)); err != nil {
			r.t.Fatal(err)
		}
	}
	c := command.New(command.Config{
		Devices: []command.Device{{
			Device:   &r.config,
			Line:     line,
			Points:   map[string]*mapping.Point{speed: &r.config.Points[0], "plant/pump/on/set": &r.config.Points[1]},
			Offline:  func() bool { return r.offline },
			Exchange: r.exchange,
		}},
		Journal: r.journal, Publish: r.publish, Synced: func() bool { return r.synced },
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	r.Commander = c
	r.stopped = func() {
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
		if err := r.journal.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *rig) exchange(ctx context.Context, req modbus.Request, t modbus.Timing) ([]byte, error) {
	a, err := r.bus.DoWhole(ctx, req, t)
	return a.Data, err
}

func (r *rig) publish(_ context.Context, m topic.Message) error {
	var out command.Result
	if err := json.Unmarshal(m.Payload, &out); err != nil || m.QoS != 1 || m.Retain {
		r.t.Errorf("%+v: %v", m, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, out)
	return nil
}

// close ends everything.
func (r *rig) close() {
	r.stopped()
	for _, end := range r.ends {
		end()
	}
	r.runs.Wait()
}

// taken are the results so far, which are taken away.
func (r *rig) taken() []command.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.results
	r.results = nil
	return out
}

// send publishes a command and waits for its result.
func (r *rig) send(m topic.Message) command.Result {
	r.t.Helper()
	if wait, err := r.Tap(m); wait != nil || err != nil {
		r.t.Fatal("the tap wants more:", err)
	}
	time.Sleep(30 * time.Second) // of the bubble
	synctest.Wait()
	out := r.taken()
	if len(out) != 1 {
		r.t.Fatalf("%s %s: results %+v", m.Topic, m.Payload, out)
	}
	return out[0]
}

func (r *rig) holding(address int) uint16 {
	r.device.mu.Lock()
	defer r.device.mu.Unlock()
	return r.device.Memory[simdevice.Holding][address]
}

// writes is how often the device was told a value.
func (r *rig) writes(value uint16) int {
	r.device.mu.Lock()
	defer r.device.mu.Unlock()
	return r.device.values[value]
}
