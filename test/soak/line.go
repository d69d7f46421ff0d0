package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// line is a bus of the site and what is on it.
type line struct {
	id       string
	line     modbus.Line
	interval time.Duration // of every point: more than the line can carry
	faults   sim.Faults
	replug   time.Duration // how often the adapter is pulled out; 0: never
}

// The units of every line, of which the last is not there, and their points.
const (
	units  = 4
	points = 6
)

// everyFault goes wrong on a very bad line.
var everyFault = sim.Faults{
	Late: 0.02, LateMin: 40 * time.Millisecond, LateMax: 150 * time.Millisecond,
	Silent: 0.005, Exception: 0.005, WrongUnit: 0.002, Drop: 0.005, Truncate: 0.002,
	Insert: 0.01, Trail: 0.01, Duplicate: 0.002, BitErrors: 2e-5,
}

var lines = []line{
	{"fast", modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, 20 * time.Millisecond, everyFault, time.Minute},
	{"slow", modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, 100 * time.Millisecond, everyFault, 0},
}

// siteFile polls all of them. Registers of a unit lie too far apart to be read at
// once, so that the replies of one could be those of another.
func siteFile(dir string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version: 1\nsite: soak\nbuses:\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "  - {id: %s, port: %s, baud: %d, format: 8N1}\n", l.id, filepath.Join(dir, l.id), l.line.Baud)
	}
	fmt.Fprintf(&b, "devices:\n")
	for _, l := range lines {
		for unit := 1; unit <= units; unit++ {
			fmt.Fprintf(&b, "  - id: %s-%d\n    bus: %s\n    unit: %d\n    interval: %v\n    timeout: 60ms\n    points:\n", l.id, unit, l.id, unit, l.interval)
			for p := range points {
				fmt.Fprintf(&b, "      - {id: p%d, register: holding 0x%04X}\n", p, 200*p)
			}
		}
	}
	fmt.Fprintf(&b, "broker:\n  listen: [{address: \"127.0.0.1:0\"}]\n")
	return b.Bytes()
}

// serve keeps the line there under a path until ctx is over.
func (l line) serve(ctx context.Context, path string) {
	there := map[modbus.UnitID]sim.Unit{}
	for id := modbus.UnitID(1); id < units; id++ {
		there[id] = sim.Unit{Device: device.Pattern(id), Latency: 3 * time.Millisecond, Queue: true}
	}
	bus := sim.New(sim.Config{Line: l.line, Units: there, Seed: 1})
	bus.SetFaults(l.faults)
	for ctx.Err() == nil {
		if err := l.plugIn(ctx, bus, path); err != nil {
			fmt.Fprintf(os.Stderr, "soak: line %s: %v\n", l.id, err)
			return
		}
	}
}

// plugIn has an adapter there until it is time to pull it out.
func (l line) plugIn(ctx context.Context, bus *sim.Bus, path string) error {
	pty, err := sim.OpenPTY()
	if err != nil {
		return err
	}
	if err := os.Symlink(pty.Path(), path); err != nil {
		pty.Unplug()
		return err
	}
	if l.replug > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.replug)
		defer cancel()
	}
	err = bus.Serve(ctx, pty)
	pty.Unplug()
	os.Remove(path)
	return err
}
