package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/poll"
	"sluice/mapping"
)

func runPlan(_ context.Context, args []string, t terminal) error {
	f := flags("plan")
	site := f.String("c", defaultSite, "")
	asJSON := f.Bool("json", false, "")
	device := f.String("device", "", "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "plan", t)
	}
	cfg, err := load(config.Load, *site, t)
	if err != nil {
		return err
	}
	forecast := gateway.Predict(cfg)
	if *device != "" {
		if !slices.ContainsFunc(cfg.Devices, func(d mapping.Device) bool { return d.ID == *device }) {
			return usage("there is no device %q in %s", "the devices are "+names(cfg.Devices, func(d mapping.Device) string { return d.ID }), *device, *site)
		}
		forecast = forecast.Of(*device)
	}
	if *asJSON {
		return planJSON(t.out, forecast)
	}
	p := planner{tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0), cfg}
	for _, b := range forecast.Buses {
		p.bus(b)
	}
	p.topics(forecast.Topics)
	for _, b := range forecast.Bridges {
		fmt.Fprintf(p, "bridge %s: %s, %.0f messages and %s a day, at one for each poll; TCP and TLS come on top\n",
			b.ID, count(b.Topics, "topic", "topics"), b.Messages, bytesOf(b.Bytes))
	}
	return p.Flush()
}

// planner prints a forecast.
type planner struct {
	*tabwriter.Writer
	cfg *config.Config
}

func (p planner) bus(b gateway.BusForecast) {
	fmt.Fprintf(p, "bus %s, %s: %.1f %% of the line is asked for, %.0f %% can be had\n", b.ID, manner(b.Bus), 100*b.Load, 100*poll.Full)
	for _, d := range b.Devices {
		fmt.Fprintf(p, "  device %s: %.1f %% of the line, %s in %s for everything\n", d.ID, 100*d.Load, inMilliseconds(d.Times...),
			count(len(d.Blocks), "request", "requests"))
		for i, block := range d.Blocks {
			req := block.Request
			fmt.Fprintf(p, "    %s\t%d at 0x%04x\t%s\t%s\tevery %s\n", req.Function, req.Count, req.Address,
				count(len(block.Points()), "point", "points"), inMilliseconds(d.Times[i]), periods(&block))
			p.longerThanItsPeriod(&block, d.Times[i])
		}
	}
	if stretch := b.Stretch(); stretch > 1 {
		fmt.Fprintf(p, "  warning: the line cannot carry this: what is not of high priority will be read every %s instead of every second\n",
			mapping.FormatDuration(time.Duration(stretch*float64(time.Second)).Round(10*time.Millisecond)))
	}
	if b.High > poll.Full {
		fmt.Fprintf(p, "  warning: the line cannot even carry what is of high priority, %.1f %%\n", 100*b.High)
	}
	fmt.Fprintln(p)
}

// longerThanItsPeriod warns of a request that cannot be done as often as asked.
func (p planner) longerThanItsPeriod(b *mapping.Block, takes time.Duration) {
	for _, pt := range b.Points() {
		if takes > pt.Interval {
			fmt.Fprintf(p, "    warning: %s is asked for every %s, which is less than one request takes\n", pt.ID, mapping.FormatDuration(pt.Interval))
		}
	}
}

func (p planner) topics(topics []gateway.TopicForecast) {
	all, retained := map[string]bool{}, map[string]bool{}
	for _, t := range topics {
		all[t.Topic] = true
		if t.Retain {
			retained[t.Topic] = true
		}
	}
	fmt.Fprintf(p, "%s, %s\n", count(len(all), "topic", "topics"), ofWhich(len(retained), len(all), "retained"))
	for _, t := range topics {
		what, priority := count(len(t.Points), "point", "points"), ""
		if len(t.Points) == 1 {
			what = registerText(t.Points[0])
		}
		if slices.ContainsFunc(t.Points, func(p *mapping.Point) bool { return p.Priority }) {
			priority = ", high priority"
		}
		fmt.Fprintf(p, "  %s\t%s\tevery %s%s\t%d bytes\n", t.Topic, what, mapping.FormatDuration(t.Interval), priority, t.Bytes)
	}
	fmt.Fprintln(p)
}

// ofWhich writes how many of all are so: "all retained", "3 retained".
func ofWhich(n, all int, so string) string {
	switch n {
	case 0:
		return "none " + so
	case all:
		return "all " + so
	default:
		return fmt.Sprintf("%d %s", n, so)
	}
}

// periods are those of a block's points, the shortest first.
func periods(b *mapping.Block) string {
	var all []time.Duration
	for _, p := range b.Points() {
		if !slices.Contains(all, p.Interval) {
			all = append(all, p.Interval)
		}
	}
	slices.Sort(all)
	words := make([]string, len(all))
	for i, d := range all {
		words[i] = mapping.FormatDuration(d)
	}
	return strings.Join(words, ", ")
}

// inMilliseconds writes the sum of times.
func inMilliseconds(times ...time.Duration) string {
	sum := time.Duration(0)
	for _, t := range times {
		sum += t
	}
	return fmt.Sprintf("%.0f ms", float64(sum)/float64(time.Millisecond))
}

// bytesOf writes an amount of data with three digits.
func bytesOf(n float64) string {
	for _, unit := range []string{"bytes", "kB", "MB"} {
		if n < 1000 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g GB", n)
}
