package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sluice/broker"
)

// floodChildName is the argument by which this program runs as the broker alone,
// on the port that follows.
const floodChildName = "flooded-broker"

// mostMemory is what the flooded broker may have resident: by its limits it keeps
// 64 MiB of retained messages and about as much for subscribers, and the garbage
// collector lets that double.
const mostMemory = 400 // MB

func floodedBroker(ctx context.Context, port string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	b, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local("127.0.0.1:" + port)}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return b.Run(ctx)
}

// flood is what clients do that mean no good, until ctx ends; count is called for
// each attempt.
type flood struct {
	name    string
	workers int
	attack  func(ctx context.Context, a attacker)
}

func floods() []flood {
	return []flood{
		{"nobody", 0, nil},
		{"mutated packets", 4, mutatedPackets},
		{"CONNECTs, large, wrong and endless", 4, wrongConnects},
		{"half-open connections", 200, halfOpen},
		{"slow readers", 20, slowReaders},
		{"topic bombs", 4, topicBombs},
		{"10,000 connects per second", 4, bareConnects},
	}
}

// soakFloods floods a broker in all ways, for span each, while two clients go on
// talking beside them.
func soakFloods(ctx context.Context, span time.Duration) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, floodChildName, strconv.Itoa(ports[0]))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }()
	by, err := newBystander(ctx, loopback(ports[0]))
	if err != nil {
		return err
	}
	defer by.close()
	var errs []error
	for _, f := range floods() {
		errs = append(errs, f.run(ctx, span, ports[0], cmd.Process.Pid, by))
	}
	return errors.Join(errs...)
}

// run floods for span and says how the broker and the bystander took it.
func (f flood) run(ctx context.Context, span time.Duration, port, pid int, by *bystander) error {
	ctx, stop := context.WithTimeout(ctx, span)
	defer stop()
	var tries atomic.Int64
	var attackers sync.WaitGroup
	for n := range f.workers {
		attackers.Go(func() { f.attack(ctx, attacker{port: port, number: n, tries: &tries}) })
	}
	most := make(chan sample, 1)
	go func() { most <- watchMemory(ctx, pid) }()
	trips, err := by.talk(ctx)
	stop()
	attackers.Wait()
	peak := <-most
	if err != nil {
		return fmt.Errorf("%s: the bystander was disturbed: %w", f.name, err)
	}
	fmt.Printf("%-36s %9d tries  %6d trips  p50 %8v  p99 %8v  most %8v  %6.1f MB  %3d files\n", f.name, tries.Load(), len(trips),
		at(trips, 50), at(trips, 99), at(trips, 100), peak.memory, peak.files)
	if peak.memory > mostMemory {
		return fmt.Errorf("%s: the broker had %.0f MB resident, which may be %d", f.name, peak.memory, mostMemory)
	}
	return nil
}

// watchMemory returns the most that a process had resident and open until ctx ends.
func watchMemory(ctx context.Context, pid int) (most sample) {
	for pause(ctx, 50*time.Millisecond) {
		var s sample
		if s.lookAt(pid) == nil {
			most.memory, most.files = max(most.memory, s.memory), max(most.files, s.files)
		}
	}
	return most
}
