package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/bridge/queue"
	"sluice/broker"
	"sluice/broker/topic"
	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// underWay is how many publishes are unacknowledged at a time, of all clients
// together.
const underWay = 100

// acknowledging counts the publishes that clients of the LAN broker get
// acknowledged when each message has to be on flash first and a sync takes so
// long: as this broker does it, with PUBACKs that follow, and as one does that
// holds the client up in the hook in which it sees the message.
func acknowledging(ctx context.Context, o options, _ string) ([]row, error) {
	span := 4 * time.Second
	if o.short {
		span = time.Second
	}
	var rows []row
	for _, sync := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond} {
		for _, clients := range []int{1, 20} {
			for _, way := range []struct {
				name     string
				blocking bool
			}{{"PUBACKs follow", false}, {"blocking in the hook", true}} {
				n, err := throughBroker(ctx, sync, clients, way.blocking, span)
				if err != nil {
					return nil, err
				}
				name := fmt.Sprintf("sync %v, clients: %d, %s", sync, clients, way.name)
				rows = append(rows, row{"queue", "sluice", name, figures{"acks/s": float64(n) / span.Seconds()}})
			}
		}
	}
	return rows, nil
}

// throughBroker runs a broker in front of a queue and returns how many publishes
// it acknowledged.
func throughBroker(ctx context.Context, sync time.Duration, clients int, blocking bool, span time.Duration) (n int, err error) {
	q, err := slowQueue(sync)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	b, err := broker.New(broker.Config{Listen: []broker.Listener{broker.Local(fmt.Sprintf("127.0.0.1:%d", port))}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	b.Tap(storing(ctx, q.Lane(queue.Telemetry), blocking))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	defer func() { err = errors.Join(err, <-ended) }()
	defer cancel()
	select {
	case <-b.Ready():
	case err := <-ended:
		ended <- nil
		return 0, err
	}
	return publishers(ctx, port, clients, span)
}

// slowQueue is a queue on a medium that takes its time.
func slowQueue(sync time.Duration) (*queue.Queue, error) {
	disks := map[string]*durabletest.Disk{}
	q, err := queue.OpenFS(telemetry("", queue.Limits{CommitDelay: time.Millisecond}), func(name string) durable.FS {
		disks[name] = durabletest.New(1)
		return disks[name].Start()
	}, nil)
	if err != nil {
		return nil, err
	}
	disks["telemetry"].SetFaults(durabletest.Faults{Before: func(op, _ string) {
		if op == "sync" {
			time.Sleep(sync)
		}
	}})
	return q, nil
}

// storing is a tap that puts everything into a lane, from which it goes at once.
func storing(ctx context.Context, lane *queue.Lane, blocking bool) broker.Tap {
	return func(m topic.Message) (func(context.Context) error, error) {
		seq, err := lane.Append(m, time.Now())
		if err != nil {
			return nil, err
		}
		stored := func(ctx context.Context) error {
			err := lane.Wait(ctx, seq)
			lane.Ack(seq + 1)
			return err
		}
		if blocking {
			return nil, stored(ctx)
		}
		return stored, nil
	}
}

// publishers publishes for a span and returns how many PUBACKs came.
func publishers(ctx context.Context, port, clients int, span time.Duration) (n int, err error) {
	all := make([]*mqttClient, clients)
	for i := range all {
		if all[i], err = dialClient(ctx, port, fmt.Sprint("publisher", i)); err != nil {
			return 0, err
		}
		defer all[i].conn.Close()
	}
	acked, errs := make([]int, clients), make([]error, clients)
	var running sync.WaitGroup
	end := time.Now().Add(span)
	for i, c := range all {
		running.Go(func() { acked[i], errs[i] = c.publishUntil(end, max(underWay/clients, 1)) })
	}
	running.Wait()
	for _, a := range acked {
		n += a
	}
	return n, errors.Join(errs...)
}

// publishUntil publishes with so many messages under way.
func (c *mqttClient) publishUntil(end time.Time, window int) (acked int, err error) {
	payload := binary.BigEndian.AppendUint64(nil, 0)
	for sent := 0; time.Now().Before(end); acked++ {
		for ; sent < acked+window; sent++ {
			c.write("plant/main-meter/power", payload, 1, uint16(sent%65535)+1)
		}
		if err := c.out.Flush(); err != nil {
			return acked, err
		}
		if _, _, err := c.packet(nil); err != nil {
			return acked, err
		}
	}
	return acked, nil
}
