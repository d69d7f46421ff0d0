package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// conditions are a line, the units on it, and what is asked of them.
type conditions struct {
	name      string
	line      modbus.Line
	units     int
	latency   time.Duration // of every unit
	fifo      int           // characters that the receiver collects; 0: 8, as most UARTs do
	faults    sim.Faults
	registers int
	timeout   time.Duration
	exchanges int           // 0: as many as fit into span
	span      time.Duration // looked at after each exchange
}

// limit is the least time an exchange takes: request, silence, latency of the
// device, reply, silence.
func (c conditions) limit() time.Duration {
	return c.line.Chars(8+5+2*c.registers) + 2*c.line.Silence() + c.latency
}

// holdback is by how much the receiver's FIFO alone makes an exchange longer: when
// the end of a reply does not fill it, that is handed over after four characters
// of silence, which may be more silence than the line asks for.
func (c conditions) holdback() time.Duration {
	if (5+2*c.registers)%cmp.Or(c.fifo, 8) == 0 {
		return 0
	}
	return max(0, c.line.Chars(4)-c.line.Silence())
}

// sample is one stack under one set of conditions.
type sample struct {
	outcome
	wire    sim.Stats
	late    time.Duration // 99th percentile of how late the simulator itself was
	usually time.Duration // and the median
}

// measure runs a stack in a process of its own on a line of its own.
func (c conditions) measure(ctx context.Context, command []string, stack string) (sample, error) {
	pty, err := sim.OpenPTY()
	if err != nil {
		return sample{}, err
	}
	defer pty.Unplug()
	units := map[modbus.UnitID]sim.Unit{}
	for id := modbus.UnitID(1); int(id) <= c.units; id++ {
		units[id] = sim.Unit{Device: device.Pattern(id), Latency: c.latency, Queue: true}
	}
	var late []time.Duration
	note := func(r sim.Reply) { late = append(late, time.Since(r.At)) }
	bus := sim.New(sim.Config{Line: c.line, Units: units, Adapter: sim.Adapter{Trigger: c.fifo}, Seed: 1, OnReply: note})
	bus.SetFaults(c.faults)
	var s sample
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { bus.Serve(ctx, pty) })
	s.outcome, err = start(ctx, command, c.job(stack, pty.Path()))
	cancel()
	serving.Wait()
	if err != nil {
		return s, fmt.Errorf("%s, %s: %w", stack, c.name, err)
	}
	if len(late) == 0 {
		return s, fmt.Errorf("%s, %s: no unit was asked", stack, c.name)
	}
	slices.Sort(late)
	s.wire, s.late, s.usually = bus.Stats(), late[len(late)*99/100], late[len(late)/2]
	return s, nil
}

func (c conditions) job(stack, path string) job {
	return job{
		Stack: stack, Path: path, Line: c.line, Units: c.units, Registers: c.registers,
		Timeout: c.timeout, Exchanges: c.exchanges, Span: c.span,
	}
}

// start runs the process of a stack and returns what it prints.
func start(ctx context.Context, command []string, j job) (outcome, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return outcome{}, err
	}
	if j.Stack == libmodbus {
		command = append(command, j.words()...)
	} else {
		command = append(command, childName, string(text))
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return outcome{}, err
	}
	var o outcome
	if err := json.Unmarshal(out.Bytes(), &o); err != nil {
		return o, fmt.Errorf("%w in %q", err, out.String())
	}
	return o, nil
}
