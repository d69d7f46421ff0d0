package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/gateway/config"
	"sluice/mapping"
)

func runSimulate(ctx context.Context, args []string, t terminal) error {
	f := flags("simulate")
	site := f.String("c", defaultSite, "")
	port := f.String("port", "pty", "")
	faults := f.String("faults", "", "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "simulate", t)
	}
	wrong, err := parseFaults(*faults)
	if err != nil {
		return err
	}
	cfg, err := load(config.LoadForDesk, *site, t)
	if err != nil {
		return err
	}
	if *port != "pty" && len(cfg.Buses) > 1 && !strings.Contains(*port, "{bus}") {
		return usage("%d buses cannot all be at %s", "put {bus} into the path", len(cfg.Buses), *port)
	}
	var lines []*simulated
	defer func() {
		for _, l := range lines {
			l.unplug()
		}
	}()
	for _, b := range cfg.Buses {
		if b.Framing != modbus.RTU {
			fmt.Fprintf(t.out, "bus %s is left out: only RTU is simulated, not %v\n", b.ID, b.Framing)
			continue
		}
		l, err := newSimulated(b, cfg.Devices, *port, wrong)
		if err != nil {
			return err
		}
		lines = append(lines, l)
		l.introduce(t, *site)
	}
	if len(lines) == 0 {
		return hint(errors.New("no bus can be simulated"), "name a site file with an RTU line")
	}
	fmt.Fprintln(t.out, "Ctrl-C stops")
	err = serveAll(ctx, lines)
	for _, l := range lines {
		l.summary(t)
	}
	return err
}

// serveAll serves every bus until ctx is cancelled.
func serveAll(ctx context.Context, lines []*simulated) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(lines))
	var serving sync.WaitGroup
	for i, l := range lines {
		serving.Go(func() {
			defer stop()
			errs[i] = l.bus.Serve(ctx, l.pty)
		})
	}
	serving.Wait()
	return errors.Join(errs...)
}

// simulated is one bus of a site behind a virtual port.
type simulated struct {
	cfg     config.Bus
	devices []mapping.Device
	pty     *sim.PTY
	bus     *sim.Bus
	path    string // where the port appears: of the pty, or a link to it
}

func newSimulated(b config.Bus, devices []mapping.Device, port string, wrong sim.Faults) (*simulated, error) {
	s := &simulated{cfg: b}
	now := time.Now()
	units := map[modbus.UnitID]sim.Unit{}
	for _, d := range devices {
		if d.Bus != b.ID {
			continue
		}
		s.devices = append(s.devices, d)
		units[d.Unit] = sim.Unit{Device: newTwin(d, now), Latency: 8 * time.Millisecond, Jitter: 7 * time.Millisecond}
		wrong.LateMin = max(wrong.LateMin, d.Timeout)
	}
	wrong.LateMax = 3 * wrong.LateMin
	if b.Echo {
		wrong.Echo = 1
	}
	var err error
	if s.pty, err = sim.OpenPTY(); err != nil {
		return nil, fmt.Errorf("bus %s: %w", b.ID, err)
	}
	s.path = s.pty.Path()
	if port != "pty" {
		s.path = strings.ReplaceAll(port, "{bus}", b.ID)
		if err := os.Symlink(s.pty.Path(), s.path); err != nil {
			s.pty.Unplug()
			return nil, explainLink(err)
		}
	}
	s.bus = sim.New(sim.Config{Line: b.Line, Units: units, Seed: uint64(now.UnixNano())})
	s.bus.SetFaults(wrong)
	return s, nil
}

func explainLink(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return hint(err, "choose a path where nothing is; after a kill -9 remove the old link")
	}
	return hint(err, "choose a path in a folder that you may write to")
}

// unplug frees the port and removes the link to it.
func (s *simulated) unplug() {
	if s.path != s.pty.Path() {
		os.Remove(s.path)
	}
	s.pty.Unplug()
}

// introduce says where the bus is and what to type to see it work.
func (s *simulated) introduce(t terminal, site string) {
	fmt.Fprintf(t.out, "bus %s (%s) is at %s: %s\n", s.cfg.ID, s.cfg.Line, s.path,
		names(s.devices, func(d mapping.Device) string { return fmt.Sprintf("%s (unit %d)", d.ID, d.Unit) }))
	if len(s.devices) == 0 {
		return
	}
	d := s.devices[0]
	fmt.Fprintf(t.out, "  try: sluice read -c %s -port %s %s\n", site, s.path, d.ID)
	fmt.Fprintf(t.out, "       %s\n", s.mbpoll(d))
}

// mbpoll is the command line with which that program reads the first point of d.
// The C library refuses parity on a virtual port.
func (s *simulated) mbpoll(d mapping.Device) string {
	p := d.Points[0]
	table := map[mapping.Table]string{mapping.Coil: "0", mapping.Discrete: "1", mapping.Input: "3:hex", mapping.Holding: "4:hex"}[p.Register.Table]
	return fmt.Sprintf("mbpoll -m rtu -b %d -P none -a %d -t %s -0 -r %d -c %d -1 %s", s.cfg.Line.Baud,
		d.Unit, table, p.Register.Address, size(p), s.path)
}

func (s *simulated) summary(t terminal) {
	n := s.bus.Stats()
	fmt.Fprintf(t.out, "bus %s: %d requests, %d replies, %d faulty on purpose, %d requests damaged\n", s.cfg.ID, n.Requests, n.Replies, n.Faulty, n.Damaged)
}

// parseFaults reads "late=0.02,silent=0.01".
func parseFaults(text string) (sim.Faults, error) {
	var f sim.Faults
	known := map[string]*float64{
		"silent": &f.Silent, "late": &f.Late, "exception": &f.Exception, "wrong-unit": &f.WrongUnit, "drop": &f.Drop, "truncate": &f.Truncate,
		"insert": &f.Insert, "trail": &f.Trail, "duplicate": &f.Duplicate, "bit-errors": &f.BitErrors, "echo": &f.Echo,
	}
	if text == "" {
		return f, nil
	}
	for _, part := range strings.Split(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		share, ok := known[name]
		if !ok {
			return f, usage("-faults: there is no fault %q", "the faults are "+strings.Join(slices.Sorted(maps.Keys(known)), ", "), name)
		}
		p, err := strconv.ParseFloat(number, 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return f, usage("-faults: %q is no probability", "write "+name+"=0.02 for every fiftieth", part)
		}
		*share = p
	}
	return f, nil
}
