package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/mapping"
)

// watchEvery is the pause between two rounds of `sluice test -watch`.
const watchEvery = time.Second

func runTest(ctx context.Context, args []string, t terminal) error {
	f := flags("test")
	site := f.String("c", defaultSite, "")
	port := f.String("port", "", "")
	device := f.String("device", "", "")
	point := f.String("point", "", "")
	var o testOptions
	o.add(f)
	o.reach.add(f)
	if err := parse(f, args); err != nil {
		return helpOn(err, "test", t)
	}
	if *device == "" && (*point != "" || *port != "") {
		return usage("-point and -port mean nothing for all devices", "name one: -device ID")
	}
	if err := o.check(); err != nil {
		return err
	}
	o.reach.site = *site
	cfg, err := load(config.LoadForDesk, *site, t)
	if err != nil {
		return err
	}
	targets, err := toTest(cfg, *site, *port, *device, *point)
	if err != nil {
		return err
	}
	if o.trace != "" && (len(targets) == 0 || targets[0].bus.ID != targets[len(targets)-1].bus.ID) {
		return usage("-trace takes one bus", "name a device: -device ID")
	}
	return o.test(ctx, targets, t)
}

// testOptions are how to show what devices say.
type testOptions struct {
	watch, json, orders bool
	reach               reach
	trace               string // file; empty: none
	tracer              gateway.Tracer
}

func (o *testOptions) add(f *flag.FlagSet) {
	f.BoolVar(&o.watch, "watch", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.BoolVar(&o.orders, "all-orders", false, "")
	f.StringVar(&o.trace, "trace", "", "")
}

func (o *testOptions) check() error {
	if o.json && o.orders {
		return usage("-json and -all-orders do not go together", "leave one of them out")
	}
	return nil
}

// toTest is the device that was named, or all of them by bus.
func toTest(cfg *config.Config, site, port, device, point string) ([]target, error) {
	var points []string
	if point != "" {
		points = []string{point}
	}
	if device != "" {
		g, err := pick(cfg, site, port, device, points...)
		return []target{g}, err
	}
	var targets []target
	for _, b := range cfg.Buses {
		for _, d := range cfg.Devices {
			if d.Bus == b.ID {
				targets = append(targets, target{bus: b, device: d})
			}
		}
	}
	return targets, nil
}

// test reads the devices once, or again and again until ctx ends.
func (o testOptions) test(ctx context.Context, targets []target, t terminal) error {
	if o.trace != "" {
		trace, err := startTrace(targets[0].bus, o.trace, t)
		if err != nil {
			return err
		}
		defer trace.end()
		o.tracer = trace.tracer()
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for i := range targets {
		targets[i].decoder = mapping.NewDecoder(&targets[i].device)
	}
	for {
		failed := o.round(ctx, targets, t)
		if !o.watch {
			return failed
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// round reads the devices once, those of one bus through one opening of it.
func (o testOptions) round(ctx context.Context, targets []target, t terminal) error {
	var failed error
	for len(targets) > 0 && ctx.Err() == nil {
		n := slices.IndexFunc(targets, func(g target) bool { return g.bus.ID != targets[0].bus.ID })
		if n < 0 {
			n = len(targets)
		}
		if err := o.bus(ctx, targets[:n], t); err != nil {
			failed = errReported
		}
		targets = targets[n:]
	}
	return failed
}

// bus reads the devices of one bus, prints what they say, and says what is wrong
// with each.
func (o testOptions) bus(ctx context.Context, targets []target, t terminal) error {
	line, err := o.reach.to(ctx, targets[0].bus, o.tracer, t)
	if err != nil {
		t.exit(err)
		return errReported
	}
	defer line.Close()
	var failed error
	for _, g := range targets {
		r := &round{target: g, client: line, rows: map[string]row{}}
		r.read(ctx)
		switch {
		case o.json:
			r.printJSON(t)
		case o.orders:
			r.printOrders(t)
		case r.good() > 0:
			r.printTable(t)
		}
		if err := r.verdict(); err != nil && !errors.Is(err, context.Canceled) {
			if g.device.ID != "" {
				err = fmt.Errorf("%s: %w", g.device.ID, err)
			}
			t.exit(err)
			failed = errReported
		}
	}
	return failed
}
