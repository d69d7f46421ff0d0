package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// The pace of each publisher: so many messages at once, which are acknowledged
// before the next.
const (
	batch      = 5
	batchEvery = 500 * time.Millisecond
	batchTime  = 5 * time.Second // then the connection is given up
	idRange    = 100_000         // numbers of one process of a publisher
)

// acknowledged is what publishers were promised.
type acknowledged struct {
	mu   sync.Mutex
	safe map[id]bool
}

func (a *acknowledged) add(m id) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.safe[m] = true
}

// publishers are clients of three makers. Each publishes from number first on, at
// address, until ctx ends or something fails, and tells of each PUBACK.
var publishers = map[string]func(ctx context.Context, port, first int, acked func(number int)) error{
	"paho-go":   pahoGo,
	"paho-py":   pahoPython,
	"mosquitto": mosquittoPub,
}

// publish has one publisher at work until ctx ends.
func publish(ctx context.Context, name string, port int, a *acknowledged) {
	for life := 1; ctx.Err() == nil; life++ {
		publishers[name](ctx, port, life*idRange, func(n int) { a.add(id{name, n}) })
		pause(ctx, 100*time.Millisecond)
	}
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func pahoGo(ctx context.Context, port, first int, acked func(int)) error {
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).
		SetClientID("paho-go").SetAutoReconnect(false).SetConnectTimeout(batchTime).SetProtocolVersion(4))
	if t := c.Connect(); !t.WaitTimeout(batchTime) || t.Error() != nil {
		return t.Error()
	}
	defer c.Disconnect(0)
	for n := first; ; n += batch {
		var sent [batch]mqtt.Token
		for i := range sent {
			sent[i] = c.Publish("soak/paho-go", 1, false, id{"paho-go", n + i}.payload())
		}
		for i, t := range sent {
			if !t.WaitTimeout(batchTime) || t.Error() != nil {
				return t.Error()
			}
			acked(n + i)
		}
		if !pause(ctx, batchEvery) {
			return nil
		}
	}
}

//go:embed testdata/publisher.py
var pythonPublisher string

// pahoPython runs a script that prints the number of each message that was
// acknowledged.
func pahoPython(ctx context.Context, port, first int, acked func(int)) error {
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", "-c", pythonPublisher, fmt.Sprint(port), fmt.Sprint(first), fmt.Sprint(batch), fmt.Sprint(batchEvery.Seconds()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for in := bufio.NewScanner(out); in.Scan(); {
		if n, err := strconv.Atoi(in.Text()); err == nil {
			acked(n)
		}
	}
	return cmd.Wait()
}

// mosquittoPub publishes each batch by a process. It ends well when the last
// PUBACK has come, behind those of all others.
func mosquittoPub(ctx context.Context, port, first int, acked func(int)) error {
	for n := first; ; n += batch {
		var lines bytes.Buffer
		for i := range batch {
			fmt.Fprintf(&lines, "%s\n", id{"mosquitto", n + i}.payload())
		}
		limit, cancel := context.WithTimeout(context.Background(), 2*batchTime)
		cmd := exec.CommandContext(limit, "mosquitto_pub", "-V", "311", "-p", fmt.Sprint(port), "-q", "1", "-t", "soak/mosquitto", "-l")
		cmd.Stdin = &lines
		err := cmd.Run()
		cancel()
		if err != nil {
			return err
		}
		for i := range batch {
			acked(n + i)
		}
		if !pause(ctx, batchEvery) {
			return nil
		}
	}
}
