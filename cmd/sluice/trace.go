package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"sluice/drivers/transcript"
	"sluice/gateway"
	"sluice/gateway/config"
)

// addTrace reads BUS=FILE.
func addTrace(traces map[string]string, text string) error {
	bus, file, ok := strings.Cut(text, "=")
	switch {
	case !ok || bus == "" || file == "":
		return errors.New("write BUS=FILE, with a bus of the site file")
	case traces[bus] != "":
		return fmt.Errorf("bus %s has a trace already", bus)
	}
	traces[bus] = file
	return nil
}

// checkTraces refuses traces of buses that there are not.
func checkTraces(traces map[string]string, buses []config.Bus) error {
	for bus := range traces {
		if !slices.ContainsFunc(buses, func(b config.Bus) bool { return b.ID == bus }) {
			return usage("-trace: there is no bus %q", "the buses are "+names(buses, func(b config.Bus) string { return b.ID }), bus)
		}
	}
	return nil
}

// tracing is the trace of a command. That of nil goes nowhere.
type tracing struct {
	*transcript.Trace
	stop    context.CancelFunc
	writing sync.WaitGroup
}

// startTrace begins to trace a bus, if there is a path.
func startTrace(b config.Bus, path string, t terminal) (*tracing, error) {
	if path == "" {
		return nil, nil
	}
	tr, err := transcript.OpenTrace(gateway.TraceConfig(b, path), t.logger(slog.LevelWarn))
	if err != nil {
		return nil, explainTrace(err)
	}
	g := &tracing{Trace: tr}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.writing.Go(func() { g.Run(ctx) })
	return g, nil
}

// tracer is who looks on, nil for nobody.
func (g *tracing) tracer() gateway.Tracer {
	if g == nil {
		return nil
	}
	return g
}

// end writes what is left.
func (g *tracing) end() {
	if g == nil {
		return
	}
	g.stop()
	g.writing.Wait()
	g.Close()
}

// explainTrace adds to an error of opening a trace what to do about it.
func explainTrace(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return hint(err, "name a file in a folder that you may write to")
	}
	return err
}
