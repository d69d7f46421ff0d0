package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sluice/broker"
	"sluice/broker/journal"
)

// brokerChildName is the argument by which this program runs as our broker alone,
// on the port that follows.
const brokerChildName = "broker-alone"

// brokerChild serves until it is killed. It keeps sessions if it is told where.
func brokerChild(port string, dir ...string) error {
	cfg := broker.Config{
		Listen: []broker.Listener{broker.Local("127.0.0.1:" + port)},
		Limits: broker.Limits{Clients: 2000, Connects: 10_000},
	}
	for _, d := range dir {
		j, err := journal.Open(d, journal.Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		go j.Run(context.Background())
		cfg.Journal = j
	}
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return b.Run(context.Background())
}

// lanConf lets mosquitto queue as much as we do: by default it drops what
// is beyond 1,000 messages.
const lanConf = `listener %d 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 0
log_type error
`

// keptConf is added for mosquitto to keep sessions.
const keptConf = `persistence true
persistence_location %s/
autosave_interval 1800
`

// server is a broker in a process of its own.
type server struct {
	cmd  *exec.Cmd
	port int
	dir  string
}

// startBroker starts the broker of a stack and waits until it answers.
func startBroker(ctx context.Context, stack string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	s := &server{port: port, dir: dir}
	if s.cmd, err = command(ctx, stack, dir, port); err != nil {
		return nil, err
	}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	ready, err := subscribe(ctx, port, "ready")
	if err != nil {
		s.stop()
		return nil, err
	}
	ready.close()
	return s, nil
}

func command(ctx context.Context, stack, dir string, port int) (*exec.Cmd, error) {
	self, err := os.Executable()
	text := fmt.Appendf(nil, lanConf, port)
	switch stack {
	case "sluice":
		return exec.CommandContext(ctx, self, brokerChildName, fmt.Sprint(port)), err
	case "kept sluice":
		return exec.CommandContext(ctx, self, brokerChildName, fmt.Sprint(port), filepath.Join(dir, "sessions")), err
	case "kept mosquitto-autosave":
		text = append(bytes.Replace(text, []byte("persistence false\n"), fmt.Appendf(nil, keptConf, dir), 1), "autosave_on_changes true\nautosave_interval 1\n"...)
	case "kept mosquitto":
		text = bytes.Replace(text, []byte("persistence false\n"), fmt.Appendf(nil, keptConf, dir), 1)
	}
	if os.Getuid() == 0 {
		text = append(text, "user root\n"...) // who may write there
	}
	conf := filepath.Join(dir, "mosquitto.conf")
	err = errors.Join(err, os.WriteFile(conf, text, 0o600))
	return exec.CommandContext(ctx, "mosquitto", "-c", conf), err
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // says that it was killed
	_ = os.RemoveAll(s.dir)
}

// flow is how messages go in one case.
type flow struct {
	publishers, subscribers int
	qos                     byte
}

func (f flow) String() string {
	return fmt.Sprintf("%d to %d, QoS %d", f.publishers, f.subscribers, f.qos)
}

const (
	brokerIdle    = 1000 // clients
	brokerPayload = 64   // bytes, with the time in the first eight
	brokerSteady  = 2000 // deliveries a second while latency is measured
)

// brokers measures our broker beside mosquitto: how many deliveries a second there
// are at most, how long one takes when there are few, what keeping messages on flash
// costs, and what idle clients do.
func brokers(ctx context.Context, o options) ([]row, error) {
	span := 5 * time.Second
	if o.short {
		span /= 5
	}
	var rows []row
	for _, f := range []flow{{50, 1, 0}, {50, 1, 1}, {1, 50, 0}, {1, 50, 1}, {1, 1, 1}} {
		for _, stack := range []string{"mosquitto", "sluice"} {
			if !o.wants(stack) {
				continue
			}
			r, err := measureFlow(ctx, stack, f, span)
			if err != nil {
				return nil, fmt.Errorf("%s, %v: %w", stack, f, err)
			}
			rows = append(rows, r)
		}
	}
	for _, stack := range keptStacks {
		if o.wants(stack) {
			r, err := measureKept(ctx, stack, 2*span)
			if err != nil {
				return nil, fmt.Errorf("%s, kept: %w", stack, err)
			}
			rows = append(rows, r)
		}
	}
	for _, stack := range []string{"mosquitto", "sluice"} {
		if o.wants(stack) {
			r, err := measureIdle(ctx, stack)
			if err != nil {
				return nil, fmt.Errorf("%s, idle: %w", stack, err)
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func measureFlow(ctx context.Context, stack string, f flow, span time.Duration) (row, error) {
	s, err := startBroker(ctx, stack)
	if err != nil {
		return row{}, err
	}
	defer s.stop()
	steady, err := pour(ctx, s.port, f, span, brokerSteady/f.subscribers)
	if err != nil {
		return row{}, err
	}
	most, err := pour(ctx, s.port, f, span, 0)
	if err != nil {
		return row{}, err
	}
	return row{"broker", stack, f.String(), figures{
		"deliveries_per_s": float64(most.deliveries) / most.took.Seconds(),
		"p50_ms":           milliseconds(steady.percentile(50)),
		"p99_ms":           milliseconds(steady.percentile(99)),
		"rss_mb":           residentMB(s.cmd.Process.Pid),
	}}, nil
}

// measureIdle connects clients that do nothing.
func measureIdle(ctx context.Context, stack string) (row, error) {
	s, err := startBroker(ctx, stack)
	if err != nil {
		return row{}, err
	}
	defer s.stop()
	before := residentMB(s.cmd.Process.Pid)
	for i := range brokerIdle {
		c, err := dialClient(ctx, s.port, fmt.Sprint("idle", i))
		if err != nil {
			return row{}, err
		}
		defer c.conn.Close()
		if err := c.subscribe("idle/#", 1); err != nil && !errors.Is(err, io.EOF) {
			return row{}, err
		}
	}
	after := residentMB(s.cmd.Process.Pid)
	return row{"broker", stack, fmt.Sprintf("%d idle clients", brokerIdle), figures{
		"rss_mb": after, "kb_per_client": (after - before) * 1000 / brokerIdle,
	}}, nil
}
