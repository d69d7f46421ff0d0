package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Messages for a subscriber with a persistent session who is away, which a broker
// that is durable has on flash before it acknowledges them.
const (
	keptPublishers = 10
	keptWindow     = 500    // messages of each under way
	keptMost       = 30_000 // fewer than a session holds
)

// keptStacks are the brokers compared: mosquitto writes its database when the time
// has come, or with autosave whenever something changes.
var keptStacks = []string{"mosquitto", "mosquitto-autosave", "sluice"}

// measureKept counts what is acknowledged in a span.
func measureKept(ctx context.Context, stack string, span time.Duration) (row, error) {
	s, err := startBroker(ctx, "kept "+stack)
	if err != nil {
		return row{}, err
	}
	defer s.stop()
	away, err := dialSession(ctx, s.port, "away")
	if err != nil {
		return row{}, err
	}
	if err := errors.Join(away.subscribe("bench/#", 1), away.conn.Close()); err != nil {
		return row{}, err
	}
	k := keeping{left: make(chan struct{}, keptMost), done: make(chan struct{})}
	for range keptMost {
		k.left <- struct{}{}
	}
	close(k.left)
	var running sync.WaitGroup
	var clients []*mqttClient
	start := time.Now()
	for i := range keptPublishers {
		c, err := dialClient(ctx, s.port, fmt.Sprint("p", i))
		if err != nil {
			return row{}, err
		}
		clients = append(clients, c)
		window := make(chan struct{}, keptWindow)
		running.Go(func() { k.publish(c, fmt.Sprint("bench/", i), window) })
		running.Go(func() { k.acknowledged(c, window) })
	}
	select {
	case <-k.done:
	case <-time.After(span):
	}
	took, acked := time.Since(start), k.acked.Load()
	for _, c := range clients {
		_ = c.conn.Close()
	}
	running.Wait()
	return row{"broker", stack, "kept for 1 who is away", figures{
		"acks_per_s": float64(acked) / took.Seconds(), "rss_mb": residentMB(s.cmd.Process.Pid),
	}}, nil
}

// keeping is one such measurement.
type keeping struct {
	left  chan struct{} // messages to be sent
	done  chan struct{} // all are acknowledged
	acked atomic.Int64
}

func (k *keeping) publish(c *mqttClient, name string, window chan struct{}) {
	payload := make([]byte, brokerPayload)
	for id := uint16(1); ; id = max(id+1, 1) {
		select {
		case window <- struct{}{}:
		default:
			if c.out.Flush() != nil {
				return
			}
			select {
			case window <- struct{}{}:
			case <-k.done:
				return
			}
		}
		if _, ok := <-k.left; !ok {
			_ = c.out.Flush()
			return
		}
		c.write(name, payload, 1, id)
	}
}

func (k *keeping) acknowledged(c *mqttClient, window chan struct{}) {
	defer func() { // lets publish go
		for len(window) > 0 {
			<-window
		}
	}()
	buf := make([]byte, 16)
	for {
		if _, _, err := c.packet(buf); err != nil {
			return
		}
		<-window
		if k.acked.Add(1) == keptMost {
			close(k.done)
		}
	}
}
