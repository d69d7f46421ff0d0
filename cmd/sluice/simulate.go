package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sluice/drivers/sim"
	"sluice/gateway/config"
)

func runSimulate(ctx context.Context, args []string, t terminal) error {
	f := flags("simulate")
	site := f.String("c", defaultSite, "")
	port := f.String("port", "pty", "")
	faults := f.String("faults", "", "")
	replay := f.String("replay", "", "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "simulate", t)
	}
	wrong, err := parseFaults(*faults)
	if err != nil {
		return err
	}
	if *replay != "" && wrong.holes > 0 {
		return usage("-faults: holes are between points, and a transcript has none", "take requests out of it")
	}
	if *replay != "" {
		return runReplay(ctx, *replay, *port, wrong, t)
	}
	cfg, err := load(config.LoadForDesk, *site, t)
	if err != nil {
		return err
	}
	if *port != "pty" && len(cfg.Buses) > 1 && !strings.Contains(*port, "{bus}") {
		return usage("%d buses cannot all be at %s", "put {bus} into the path, or leave -port out", len(cfg.Buses), *port)
	}
	var all []*simulated
	defer func() {
		for _, s := range all {
			s.outlet.close()
		}
	}()
	library := config.OpenLibrary(filepath.Dir(*site))
	for _, b := range cfg.Buses {
		s, err := newSimulated(b, cfg.Devices, *port, wrong, library)
		if err != nil {
			return err
		}
		all = append(all, s)
		s.introduce(t, *site)
	}
	fmt.Fprintln(t.out, "Ctrl-C stops")
	err = serveAll(ctx, all, t)
	for _, s := range all {
		s.summary(t)
	}
	return err
}

// wrongs are the faults of a simulation.
type wrongs struct {
	sim.Faults
	holes  float64 // the share of registers between points that are refused
	unplug float64 // per reply: the port is pulled, and back after a while
}

// parseFaults reads "late=0.02,silent=0.01".
func parseFaults(text string) (wrongs, error) {
	var f wrongs
	known := map[string]*float64{
		"silent": &f.Silent, "late": &f.Late, "exception": &f.Exception, "wrong-unit": &f.WrongUnit, "drop": &f.Drop, "truncate": &f.Truncate,
		"insert": &f.Insert, "trail": &f.Trail, "duplicate": &f.Duplicate, "bit-errors": &f.BitErrors, "echo": &f.Echo,
		"busy": &f.Busy, "holes": &f.holes, "unplug": &f.unplug,
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
