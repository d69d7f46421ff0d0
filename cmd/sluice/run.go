package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/term"

	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/control"
	"sluice/gateway/service"
	"sluice/mapping"
)

// defaultSite is the site file where the command line names none.
const defaultSite = "site.yaml"

func runGateway(ctx context.Context, args []string, t terminal) error {
	f := flags("run")
	site := f.String("c", defaultSite, "")
	state := f.String("state", "", "")
	traces := map[string]string{}
	f.Func("trace", "", func(text string) error { return addTrace(traces, text) })
	level := slog.LevelInfo
	f.TextVar(&level, "log-level", slog.LevelInfo, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "run", t)
	}
	cfg, err := load(config.Load, *site, t)
	if err != nil {
		return err
	}
	if err := checkTraces(traces, cfg.Buses); err != nil {
		return err
	}
	log := t.logger(level)
	for _, w := range cfg.Warnings {
		log.Warn(w.What, "file", w.File, "line", w.Line, "fix", w.Fix)
	}
	manager, err := service.New(log)
	if err != nil {
		return hint(err, "the service manager sets WATCHDOG_USEC, as systemd does for WatchdogSec=")
	}
	dir := stateDir(*state, *site)
	g, err := gateway.New(cfg, gateway.Options{
		SiteFile: *site, StateDir: dir, Control: control.Path(dir), Version: version(), Log: log, Traces: traces, Service: manager,
	})
	if err != nil {
		return explainTrace(err)
	}
	if reloads([]string{"run"}, t.err) {
		stop := reloadOnHangup(ctx, g)
		defer stop()
	}
	log.Info("starting", "site", cfg.Site, "gateway", cfg.Gateway, "config", cfg.Digest, "version", version())
	context.AfterFunc(ctx, func() { log.Info("stopping", "cause", context.Cause(ctx)) })
	return g.Run(ctx)
}

// reloads reports whether a hangup makes a command read its site file again. On a
// terminal it means that the terminal is gone, and ends the command.
func reloads(args []string, stderr io.Writer) bool {
	f, ok := stderr.(*os.File)
	return len(args) > 0 && args[0] == "run" && !(ok && term.IsTerminal(int(f.Fd())))
}

// reloadOnHangup has SIGHUP reload the gateway until stop is called. What comes of it
// is in the log.
func reloadOnHangup(ctx context.Context, g *gateway.Gateway) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			select {
			case <-hangups:
				g.Reread(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		signal.Stop(hangups)
		cancel()
		serving.Wait()
	}
}

// load reads a site file and prints what is wrong with it.
func load(read func(string) (*config.Config, error), path string, t terminal) (*config.Config, error) {
	cfg, err := read(path)
	if problems, ok := errors.AsType[mapping.Problems](err); ok {
		fmt.Fprintln(t.err, problems.Error())
		return nil, errReported
	}
	return cfg, explainFile(err)
}

// explainFile adds to an error of opening a site file what to do about it.
func explainFile(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return hint(err, "name the site file: -c FILE")
	}
	return err
}

// stateDir is where queues are kept: as given, as systemd says, or beside the
// site file.
func stateDir(given, site string) string {
	if given != "" {
		return given
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir
	}
	return filepath.Join(filepath.Dir(site), "state")
}

// helpOn answers -h with the help of a command.
func helpOn(err error, name string, t terminal) error {
	if errors.Is(err, flag.ErrHelp) {
		return runHelp(context.Background(), []string{name}, t)
	}
	return err
}
