package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// fast is a line on which a test takes no time.
var fast = modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}

// memory is a unit of plain cells: a float32, an int16 and a NaN as inputs, four
// holding registers, three coils.
func memory() *device.Memory {
	v := math.Float32bits(230.5)
	return &device.Memory{
		device.Coil:    {1, 0, 1},
		device.Input:   {uint16(v >> 16), uint16(v), 0xFF16, 0x7FC0, 0},
		device.Holding: {1500, 0x00FF, 0x1234, 0x5678},
	}
}

// serve puts units on a virtual port until the test ends and returns its path.
func serve(t *testing.T, cfg sim.Config) string {
	t.Helper()
	pty, err := sim.OpenPTY()
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	cfg.Line = fast
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { sim.New(cfg).Serve(ctx, pty) })
	t.Cleanup(func() {
		cancel()
		serving.Wait()
		pty.Unplug()
	})
	return pty.Path()
}

// serveMemory serves a memory as unit 7.
func serveMemory(t *testing.T) string {
	return serve(t, sim.Config{Units: map[modbus.UnitID]sim.Unit{7: {Device: memory(), Latency: time.Millisecond}}})
}

// siteOn writes a site file for the memory on a port and returns its path.
func siteOn(t *testing.T, port string) string {
	t.Helper()
	text := strings.ReplaceAll(`version: 1
site: plant
defaults: {timeout: 1s}
buses: [{id: line, port: PORT, baud: 115200, format: 8N1}]
devices:
  - id: tank
    bus: line
    unit: 7
    points:
      - {id: voltage,     register: input 0x0000, type: float32, unit: V}
      - {id: temperature, register: input 0x0002, type: int16, scale: 0.1, unit: "°C"}
      - {id: setpoint,    register: holding 0x0000, unit: mm}
      - {id: alarm,       register: holding 0x0001, bits: 8}
      - {id: pump,        register: coil 0x0002}
  - {id: gone, bus: line, unit: 9, points: [{id: a, register: holding 0x0000}, {id: b, register: input 0x0000}]}
  - {id: odd, bus: line, unit: 8, numbering: zero-based, points: [{id: there, register: input 1}, {id: missing, register: input 5}]}
`, "PORT", port)
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sluice carries out a command line of words without blanks.
func sluice(t *testing.T, line string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), strings.Fields(line), terminal{&o, &e})
	return code, o.String(), e.String()
}
