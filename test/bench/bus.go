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
// that are met.
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
		for _, registers := range []int{2, 10, 60, 125} {
			all = append(all, conditions{
				name: fmt.Sprintf("%v, %d registers", line, registers), line: line, registers: registers,
				units: 3, latency: 5 * time.Millisecond, timeout: 500 * time.Millisecond, span: span,
			})
		}
	}
	return all
}

// bus measures how much of a line each stack puts to use, and at what price. The
// share is of the exchanges that are possible; more than 1 means silence that was
// not kept. share_p50 is that of the median exchange, which says what the stack
// does on a machine that never stalls, as the share does of this one. of_goburrow
// is the time per exchange as a part of goburrow's.
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
	var rows []row
	for _, on := range busConditions(o) {
		samples := map[string][]figures{} // of each stack
		for range rounds {
			for _, stack := range c.stacks {
				s, err := c.measure(ctx, on, stack)
				if err != nil {
					return nil, err
				}
				samples[stack] = append(samples[stack], busFigures(on, stack, s))
			}
		}
		for _, stack := range c.stacks {
			rows = append(rows, row{"bus", stack, on.name, join(samples[stack])})
		}
		compare(rows[len(rows)-len(c.stacks):])
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
	return f
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
