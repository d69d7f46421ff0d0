package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/broker/topic"
	"sluice/drivers/sim/device"
	"sluice/gateway"
	"sluice/gateway/config"
)

// gatewayProcess is the gateway of a site file. Once a second it says on the
// standard output how it is, until the process is told to stop.
func gatewayProcess(ctx context.Context, site, state string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	cfg, err := config.Load(site)
	if err != nil {
		return err
	}
	var seen reader
	g, err := gateway.New(cfg, gateway.Options{
		StateDir: state, Version: "soak", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Tap: seen.take,
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	for second := time.NewTicker(time.Second); ; {
		select {
		case err := <-ended:
			return err
		case <-second.C:
			if err := json.NewEncoder(os.Stdout).Encode(seen.sample()); err != nil {
				return err
			}
		}
	}
}

// reader checks what is published.
type reader struct{ good, bad, wrong atomic.Int64 }

func (r *reader) sample() sample {
	return sample{Goroutines: runtime.NumGoroutine(), Good: r.good.Load(), Bad: r.bad.Load(), Wrong: r.wrong.Load()}
}

// take is a tap of the broker.
func (r *reader) take(m topic.Message) (func(context.Context) error, error) {
	var unit device.Pattern
	var point uint16
	var line string
	if _, err := fmt.Sscanf(m.Topic, "soak/%4s-%d/p%d", &line, &unit, &point); err != nil {
		return nil, nil
	}
	var reading struct{ Value *uint16 }
	switch err := json.Unmarshal(m.Payload, &reading); {
	case err != nil:
		r.wrong.Add(1)
	case reading.Value == nil:
		r.bad.Add(1)
	case *reading.Value != unit.Value(200*point):
		r.wrong.Add(1)
	default:
		r.good.Add(1)
	}
	return nil, nil
}
