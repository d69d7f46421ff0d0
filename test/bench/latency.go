package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// latencySamples is how many values are followed from wire to subscriber.
const latencySamples = 200

// latencySite is the demo's three devices, and a counter whose every value can
// be told apart.
const latencySite = `version: 1
site: bench
buses:
  - {id: line, port: %s, baud: 19200, format: 8N1}
devices:
  - id: meter
    bus: line
    unit: 1
    interval: 1s
    points:
      - {id: voltage, register: input 0x0000, type: float32, unit: V}
      - {id: power,   register: input 0x0034, type: float32, unit: W}
  - id: climate
    bus: line
    unit: 2
    interval: 2s
    points:
      - {id: temperature, register: input 0x0001, type: int16, scale: 0.1, unit: "°C"}
  - id: tank
    bus: line
    unit: 3
    interval: 100ms
    points:
      - {id: counter, register: holding 0x0002, type: uint32}
broker:
  listen: [{address: "127.0.0.1:%d"}]
`

// latency measures from the last character of a reply on the wire to the message
// in the hands of a subscriber, and what memory and processor time the gateway
// takes meanwhile: the real program on a pseudo-terminal.
func latency(ctx context.Context, _ options) ([]row, error) {
	line := modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	pty, err := sim.OpenPTY()
	if err != nil {
		return nil, err
	}
	defer pty.Unplug()
	var seen replies
	now := time.Now()
	bus := sim.New(sim.Config{Line: line, OnReply: seen.note, Units: map[modbus.UnitID]sim.Unit{
		1: {Device: device.NewMeter(now), Latency: 15 * time.Millisecond},
		2: {Device: device.Climate{}, Latency: 25 * time.Millisecond},
		3: {Device: device.NewPLC(now), Latency: 4 * time.Millisecond},
	}})
	ctx, cancel := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { bus.Serve(ctx, pty) })
	defer serving.Wait()
	defer cancel()

	port, err := freePort()
	if err != nil {
		return nil, err
	}
	gateway, err := startSluice(ctx, fmt.Sprintf(latencySite, pty.Path(), port))
	if err != nil {
		return nil, err
	}
	defer gateway.stop()
	times, err := follow(ctx, port, &seen)
	if err != nil {
		return nil, err
	}
	f := figures{
		"samples": float64(len(times)),
		"p50_ms":  milliseconds(times[len(times)/2]),
		"p99_ms":  milliseconds(times[len(times)*99/100]),
		"max_ms":  milliseconds(times[len(times)-1]),
		"rss_mb":  gateway.residentMB(),
		"cpu_pct": gateway.processorShare(),
	}
	return []row{{"latency", "sluice", line.String() + ", 3 devices, 10 values/s followed", f}}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// replies are when each value of the counter was on the wire whole.
type replies struct {
	mu sync.Mutex
	at map[uint32]time.Time
}

func (r *replies) note(reply sim.Reply) {
	if reply.Unit != 3 || len(reply.ADU) != 9 {
		return
	}
	data := reply.ADU[3:7]
	counter := uint32(data[0])<<24 | uint32(data[1])<<16 | uint32(data[2])<<8 | uint32(data[3])
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == nil {
		r.at = map[uint32]time.Time{}
	}
	r.at[counter] = reply.At
}

func (r *replies) when(counter uint32) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.at[counter]
	return at, ok
}

// follow subscribes to the counter and returns how long its values took, sorted.
func follow(ctx context.Context, port int, seen *replies) ([]time.Duration, error) {
	sub, err := subscribe(ctx, port, "bench/tank/counter")
	if err != nil {
		return nil, err
	}
	defer sub.close()
	var times []time.Duration
	for len(times) < latencySamples {
		payload, at, err := sub.next()
		if err != nil {
			return nil, err
		}
		var r struct{ Value uint32 }
		if err := json.Unmarshal(payload, &r); err != nil {
			return nil, err
		}
		if sent, ok := seen.when(r.Value); ok {
			times = append(times, at.Sub(sent))
		}
	}
	slices.Sort(times)
	return times[1:], nil // without the retained value at the start
}

// sluice is the program under measurement.
type sluice struct {
	cmd   *exec.Cmd
	dir   string
	start time.Time
}

// startSluice builds the program and runs it on a site.
func startSluice(ctx context.Context, site string) (*sluice, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	s := &sluice{dir: dir}
	file, bin := filepath.Join(dir, "site.yaml"), filepath.Join(dir, "sluice")
	if err := os.WriteFile(file, []byte(site), 0o600); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, "sluice/cmd/sluice")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	s.cmd = exec.CommandContext(ctx, bin, "run", "-c", file)
	s.cmd.Stderr = os.Stderr
	s.cmd.Args = append(s.cmd.Args, "-log-level", "warn")
	s.start = time.Now()
	return s, s.cmd.Start()
}

func (s *sluice) residentMB() float64 { return residentMB(s.cmd.Process.Pid) }

// residentMB is the memory of a process in RAM, in MB.
func residentMB(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(text)) {
		var kib float64
		if n, _ := fmt.Sscanf(l, "VmRSS: %f kB", &kib); n == 1 {
			return kib * 1024 / 1e6
		}
	}
	return 0
}

// processorShare is the share of one core that the program has used, in percent.
func (s *sluice) processorShare() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, fields, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(fields)
	var user, system float64
	if _, err := fmt.Sscan(f[11]+" "+f[12], &user, &system); err != nil {
		return 0
	}
	const ticksPerSecond = 100 // USER_HZ on every Linux that Go runs on
	return 100 * (user + system) / ticksPerSecond / time.Since(s.start).Seconds()
}

func (s *sluice) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
	os.RemoveAll(s.dir)
}
