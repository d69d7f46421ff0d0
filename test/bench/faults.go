package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
)

// faultExchanges is how many exchanges each stack is put through.
const faultExchanges = 10_000

// faultConditions are a fast line on which 2 % of the replies come later than the
// timeout, and the same with everything else that goes wrong on a line. A unit
// that is busy keeps the latest request, as firmware that receives by interrupt
// does. On a single unit the late reply always has the shape of the next one.
func faultConditions(o options) []conditions {
	late := sim.Faults{Late: 0.02, LateMin: 40 * time.Millisecond, LateMax: 150 * time.Millisecond}
	every := late
	every.Silent, every.Exception, every.WrongUnit = 0.005, 0.005, 0.002
	every.Drop, every.Truncate, every.Insert, every.Trail, every.Duplicate = 0.005, 0.002, 0.01, 0.01, 0.002
	every.BitErrors = 2e-5
	base := conditions{
		line:    modbus.Line{Baud: 115200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
		latency: 3 * time.Millisecond, timeout: 60 * time.Millisecond, registers: 10, exchanges: faultExchanges,
	}
	if o.short {
		base.exchanges /= 10
	}
	one, three := base, base
	one.name, one.units, one.faults = "late replies, 1 unit", 1, late
	three.name, three.units, three.faults = "every fault, 3 units", 3, every
	return []conditions{one, three}
}

// faults counts the values of another register that each stack takes for an
// answer, and what it achieves on a bad line. Everybody is under way at the same
// time, each on a line of its own, since some take minutes.
func faults(ctx context.Context, o options) ([]row, error) {
	c, leave, err := newContest(ctx, o)
	if err != nil {
		return nil, err
	}
	defer leave()
	all := faultConditions(o)
	rows := make([]row, len(all)*len(c.stacks))
	errs := make([]error, len(rows))
	var running sync.WaitGroup
	for i := range rows {
		on, stack := all[i/len(c.stacks)], c.stacks[i%len(c.stacks)]
		running.Go(func() {
			var s sample
			s, errs[i] = c.measure(ctx, on, stack)
			rows[i] = row{"faults", stack, on.name, faultFigures(s)}
		})
	}
	running.Wait()
	return rows, errors.Join(errs...)
}

func faultFigures(s sample) figures {
	return figures{
		"wrong":           float64(s.Wrong),
		"failed":          float64(s.Failed),
		"good_per_s":      float64(s.Good) / s.Seconds,
		"minutes":         s.Seconds / 60,
		"sim_late_p99_us": float64(s.late) / float64(time.Microsecond),
	}
}
