package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/drivers/modbus"
)

// busRounds is how often everybody is measured; a table shows the medians.
const busRounds = 3

// busConditions are three units that answer after 5 ms, at the speeds and sizes
// that are met, behind a UART that tells of every eighth character. Short replies
// are read through one that tells of each, too: it matters to them.
func busConditions(o options) []conditions {
	span := 2 * time.Second
	if o.short {
		span /= 4
	}
	var all []conditions
	for _, line := range []modbus.Line{
		{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
		{Baud: 19200, DataBits: 8, Parity: modbus.EvenParity, StopBits: 1},
		{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
	} {
		for _, size := range []struct{ registers, fifo int }{{2, 1}, {2, 8}, {10, 1}, {10, 8}, {60, 8}, {125, 8}} {
			all = append(all, conditions{
				name: fmt.Sprintf("%v, %d registers, FIFO %d", line, size.registers, size.fifo),
				line: line, registers: size.registers, fifo: size.fifo,
				units: 3, latency: 5 * time.Millisecond, timeout: 500 * time.Millisecond, span: span,
			})
		}
	}
	return all
}

// bus measures how much of a line each stack puts to use, and at what price. The
// share is of the exchanges that are possible; more than 1 means silence that was
// not kept. share_p50 is that of the median exchange, which says what the stack
// does on a machine that never stalls, as the share does of this one. ceiling is
// the most that the receiver's FIFO and this machine leave of it to one who keeps
// the silence: see ceiling. of_goburrow is the time per exchange as a part of
// goburrow's.
func bus(ctx context.Context, o options) ([]row, error) {
	c, leave, err := newContest(ctx, o)
	if err != nil {
		return nil, err
	}
	defer leave()
	rounds := busRounds
	if o.short {
		rounds = 1
	}
	all := busConditions(o)
	samples := make([][]figures, len(all)*len(c.stacks))
	for range rounds { // outermost, so that a busy minute of the machine spoils one
		for i := range samples {
			on, stack := all[i/len(c.stacks)], c.stacks[i%len(c.stacks)]
			s, err := c.measure(ctx, on, stack)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], busFigures(on, stack, s))
		}
	}
	var rows []row
	for i, s := range samples {
		rows = append(rows, row{"bus", c.stacks[i%len(c.stacks)], all[i/len(c.stacks)].name, join(s)})
	}
	for same := range slices.Chunk(rows, len(c.stacks)) {
		compare(same)
	}
	return rows, nil
}

func busFigures(on conditions, stack string, s sample) figures {
	rate := float64(s.Good) / s.Seconds
	f := figures{
		"rate_per_s":      rate,
		"share":           rate * on.limit().Seconds(),
		"share_p50":       on.limit().Seconds() / s.Typical,
		"short_silences":  float64(s.wire.ShortSilences),
		"failed":          float64(s.Failed + s.Wrong),
		"cpu_us":          s.CPU * 1e6 / s.exchanges(),
		"sim_late_p99_us": float64(s.late) / float64(time.Microsecond),
	}
	if stack != libmodbus {
		f["allocs"] = s.Allocs / s.exchanges()
	}
	if s.Lag > 0 {
		f["ceiling"] = on.ceiling(s)
	}
	return f
}

// ceiling is the share of somebody who does nothing but wait. He and the simulator
// wake late, as measured: the simulator when it is written to and when it hands
// over the end of a reply, he for that and, unless the FIFO took longer than the
// silence, at its end.
func (c conditions) ceiling(s sample) float64 {
	lag := time.Duration(s.Lag * float64(time.Second))
	late := c.holdback() + 2*s.usually + lag
	if c.holdback() == 0 {
		late += lag
	}
	return c.limit().Seconds() / (c.limit() + late).Seconds()
}

// join makes one of the samples of a stack: the median of what was measured, the
// most of what was counted and should not have happened.
func join(samples []figures) figures {
	f := figures{}
	for name := range samples[0] {
		var values []float64
		for _, s := range samples {
			values = append(values, s[name])
		}
		slices.Sort(values)
		f[name] = values[len(values)/2]
		if name == "short_silences" || name == "failed" {
			f[name] = values[len(values)-1]
		}
	}
	return f
}

// compare adds to the rows of one case how they stand to goburrow's.
func compare(rows []row) {
	i := slices.IndexFunc(rows, func(r row) bool { return r.Stack == "goburrow" })
	if i < 0 {
		return
	}
	for _, r := range rows {
		r.Figures["of_goburrow"] = rows[i].Figures["rate_per_s"] / r.Figures["rate_per_s"]
	}
}
