package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/gateway/status"
)

func runStatus(ctx context.Context, args []string, t terminal) error {
	var r reach
	f := flags("status")
	r.addAll(f)
	asJSON := f.Bool("json", false, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "status", t)
	}
	client := r.gateway()
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return r.explain(err)
	}
	if *asJSON {
		out := json.NewEncoder(t.out)
		out.SetIndent("", "  ")
		return out.Encode(s)
	}
	events, err := client.Events(ctx)
	if err != nil {
		return r.explain(err)
	}
	return printStatus(t.out, s, events)
}

// printStatus writes what a person wants to know first.
func printStatus(out io.Writer, s status.Snapshot, events []status.Event) error {
	fmt.Fprintf(out, "%s, gateway %s, version %s, up %s\n", s.Site, s.Gateway, s.Version, span(s.At.Sub(s.Started)))
	fmt.Fprintf(out, "config %s, loaded %s ago%s\n", s.Config.Digest, span(s.At.Sub(s.Config.Loaded)), lastReload(s))
	if len(s.Stuck) > 0 {
		fmt.Fprintf(out, "makes no progress: %s\n", strings.Join(s.Stuck, ", "))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nBUS\tPLACE\tSTATE\tLOAD\tEXCHANGES/S\tOVERRUNS\tFAULTS")
	for _, b := range s.Buses {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.0f %%\t%.1f\t%d\t%s\n", b.ID, strings.TrimSpace(b.Place+" "+b.Line), busState(b), 100*b.Load, b.Rate, b.Overruns, faultsText(b.Faults))
	}
	fmt.Fprintln(w, "\nDEVICE\tBUS\tUNIT\tSTATE\tLAST ANSWER\tRESPONSE\tLAST ERROR")
	for _, d := range s.Devices {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", d.ID, d.Bus, d.Unit, deviceState(d, s.At), ago(s.At, d.LastGood), response(d), orDash(d.Error))
	}
	if len(s.Bridges) > 0 {
		fmt.Fprintln(w, "\nBRIDGE\tUPSTREAM\tSTATE\tWAITING\tOLDEST\tOUT/S\tROOM\tLAST ERROR")
	}
	for _, b := range s.Bridges {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%.1f\t%s\t%s\n", b.ID, b.URL, bridgeState(b, s.At), b.Messages(), ago(s.At, b.Oldest), b.Drain, span(b.Room), orDash(b.Error))
	}
	b := s.Broker
	fmt.Fprintf(w, "\nbroker on %s: %d clients, %d retained, %d dropped, %d refused\n", strings.Join(b.Addresses, ", "), b.Clients, b.Retained, b.Dropped, b.Refused)
	if s.StateDir.Size > 0 {
		fmt.Fprintf(w, "state folder: %s of %s free\n", sizeText(s.StateDir.Free), sizeText(s.StateDir.Size))
	}
	printEvents(w, events)
	return w.Flush()
}

// shownEvents is how many of the latest events a person gets to see.
const shownEvents = 10

func printEvents(w io.Writer, events []status.Event) {
	fmt.Fprintln(w, "\nlatest events:")
	for _, e := range events[max(0, len(events)-shownEvents):] {
		fmt.Fprintf(w, "  %s %s %s", e.At.Format("15:04:05"), e.Level, e.Message)
		for _, a := range e.Attrs {
			fmt.Fprintf(w, " %s=%s", a.Key, printable(a.Value))
		}
		fmt.Fprintln(w)
	}
}

func lastReload(s status.Snapshot) string {
	last := s.Config.Last
	if last == nil || last.OK {
		return ""
	}
	return fmt.Sprintf("; the file that is there was refused %s ago: `sluice check` says why", span(s.At.Sub(last.At)))
}

func busState(b status.Bus) string {
	if b.Open {
		return "open"
	}
	return "down: " + orDash(b.Error)
}

func deviceState(d status.Device, now time.Time) string {
	text := d.State
	if d.State == "degraded" {
		text = fmt.Sprintf("%s: %d of %d points", d.State, d.Failing, d.Points)
	}
	if d.Since.IsZero() {
		return text
	}
	return text + " " + span(now.Sub(d.Since))
}

func bridgeState(b status.Bridge, now time.Time) string {
	if b.Connected {
		return "connected " + span(now.Sub(b.Since))
	}
	return "away " + span(now.Sub(b.Since))
}

// sizeText is a size as people say it.
func sizeText(bytes int64) string {
	if bytes < 10e9 {
		return fmt.Sprintf("%d MB", bytes/1e6)
	}
	return fmt.Sprintf("%d GB", bytes/1e9)
}

func response(d status.Device) string {
	if d.Response == 0 {
		return "-"
	}
	return d.Response.Round(time.Millisecond).String()
}

func faultsText(faults map[string]uint64) string {
	var parts []string
	for name, n := range faults {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	slices.Sort(parts)
	return orDash(strings.Join(parts, ", "))
}

// ago is how long something is past, "-" for never.
func ago(now, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return span(now.Sub(at)) + " ago"
}

// span is a time as people say it: its two largest units.
func span(d time.Duration) string {
	switch {
	case d >= 9*365*24*time.Hour:
		return "years"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%ds", max(d, 0)/time.Second)
	}
}
