package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/gateway/config"
	"sluice/mapping"
)

// unplugged is how long a pulled port stays away.
const unplugged = time.Second

// simulated is one bus of a site behind a virtual port or an address.
type simulated struct {
	cfg     config.Bus
	devices []mapping.Device
	bus     *sim.Bus
	outlet  outlet
	pulled  chan struct{} // holds a token when the port is to be pulled
}

// newSimulated opens the outlet of a bus. library has the signs by which scan knows
// the devices.
func newSimulated(b config.Bus, devices []mapping.Device, port string, wrong wrongs, library *config.Library) (*simulated, error) {
	s := &simulated{cfg: b, pulled: make(chan struct{}, 1)}
	now := time.Now()
	units := map[modbus.UnitID]sim.Unit{}
	for _, d := range devices {
		if d.Bus != b.ID {
			continue
		}
		s.devices = append(s.devices, d)
		twin := newTwin(d, now)
		twin.holes = wrong.holes
		if t, _, _, ok := library.Describe(d.Template); ok && d.Chain == nil {
			twin.resemble(t.Probe, d.Unit)
		}
		units[d.Unit] = sim.Unit{Device: twin, Latency: 8 * time.Millisecond, Jitter: 7 * time.Millisecond}
		wrong.LateMin = max(wrong.LateMin, d.Timeout)
	}
	wrong.LateMax = 3 * wrong.LateMin
	if b.Echo {
		wrong.Echo = 1
	}
	var err error
	if s.outlet, err = newOutlet(b, port); err != nil {
		return nil, err
	}
	cfg := sim.Config{Line: b.Line, Framing: b.Framing, Units: units, Seed: uint64(now.UnixNano())}
	if wrong.unplug > 0 {
		cfg.OnReply = func(sim.Reply) { s.pull(wrong.unplug) }
	}
	s.bus = sim.New(cfg)
	s.bus.SetFaults(wrong.Faults)
	return s, nil
}

// pull unplugs the port with a probability.
func (s *simulated) pull(probability float64) {
	if rand.Float64() >= probability {
		return
	}
	select {
	case s.pulled <- struct{}{}:
	default:
	}
}

// serveAll serves every bus until ctx is cancelled.
func serveAll(ctx context.Context, all []*simulated, t terminal) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(all))
	var serving sync.WaitGroup
	for i, s := range all {
		serving.Go(func() {
			defer stop()
			errs[i] = s.serve(ctx, t)
		})
	}
	serving.Wait()
	return errors.Join(errs...)
}

// serve serves the bus until ctx is cancelled, pulling its port when that is due.
func (s *simulated) serve(ctx context.Context, t terminal) error {
	for ctx.Err() == nil {
		if err := s.session(ctx); err != nil {
			return fmt.Errorf("bus %s: %w", s.cfg.ID, err)
		}
		if ctx.Err() != nil {
			return nil
		}
		fmt.Fprintf(t.out, "bus %s: unplugged\n", s.cfg.ID)
		err := s.outlet.replug(func() {
			select {
			case <-time.After(unplugged):
			case <-ctx.Done():
			}
		})
		if err != nil {
			return fmt.Errorf("bus %s: %w", s.cfg.ID, err)
		}
		fmt.Fprintf(t.out, "bus %s: back at %s\n", s.cfg.ID, s.outlet.place())
	}
	return nil
}

// session serves the bus until its port is to be pulled, or ctx is cancelled.
func (s *simulated) session(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.outlet.serve(ctx, s.bus) }()
	select {
	case err := <-ended:
		return err
	case <-s.pulled:
		stop()
		return <-ended
	}
}

// introduce says where the bus is and what to type to see it work.
func (s *simulated) introduce(t terminal, site string) {
	fmt.Fprintf(t.out, "bus %s (%s) is at %s: %s\n", s.cfg.ID, manner(s.cfg), s.outlet.place(),
		cmp.Or(names(s.devices, func(d mapping.Device) string { return fmt.Sprintf("%s (unit %d)", d.ID, d.Unit) }), "no devices"))
	if len(s.devices) == 0 {
		return
	}
	d := s.devices[0]
	fmt.Fprintf(t.out, "  try: sluice test -c %s -port %s -device %s\n", site, s.outlet.place(), d.ID)
	if s.cfg.Framing == modbus.RTU && s.cfg.Port != "" {
		fmt.Fprintf(t.out, "       %s\n", s.mbpoll(d))
	}
}

// mbpoll is the command line with which that program reads the first point of d.
// The C library refuses parity on a virtual port.
func (s *simulated) mbpoll(d mapping.Device) string {
	p := d.Points[0]
	table := map[mapping.Table]string{mapping.Coil: "0", mapping.Discrete: "1", mapping.Input: "3:hex", mapping.Holding: "4:hex"}[p.Register.Table]
	return fmt.Sprintf("mbpoll -m rtu -b %d -P none -a %d -t %s -0 -r %d -c %d -1 %s", s.cfg.Line.Baud,
		d.Unit, table, p.Register.Address, size(p), s.outlet.place())
}

func (s *simulated) summary(t terminal) {
	n := s.bus.Stats()
	fmt.Fprintf(t.out, "bus %s: %d requests, %d replies, %d faulty on purpose, %d requests damaged\n", s.cfg.ID, n.Requests, n.Replies, n.Faulty, n.Damaged)
}
