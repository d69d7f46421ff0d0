package main

import (
	"context"
	"fmt"

	"sluice/gateway/config"
)

func runCheck(_ context.Context, args []string, t terminal) error {
	f := flags("check")
	site := f.String("c", defaultSite, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "check", t)
	}
	cfg, err := load(config.Load, *site, t)
	if err != nil {
		return err
	}
	points := 0
	for _, d := range cfg.Devices {
		points += len(d.Points)
	}
	fmt.Fprintf(t.out, "%s is good: site %s, gateway %s: %s, %s, %s, %s\n", *site, cfg.Site, cfg.Gateway,
		count(len(cfg.Buses), "bus", "buses"), count(len(cfg.Devices), "device", "devices"),
		count(points, "point", "points"), count(len(cfg.Bridges), "bridge", "bridges"))
	return nil
}

// count writes a number of things: "1 bus", "2 buses".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
