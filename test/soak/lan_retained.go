package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// keptTopics hold a retained message each, with a number that grows.
const keptTopics = 500

// keep changes retained messages, one after the other.
func (l *lan) keep(ctx, until context.Context) error {
	c, err := l.connect(ctx, hello{id: "keeper"})
	if err != nil {
		return err
	}
	for n := 1; until.Err() == nil; n++ {
		topic := n % keptTopics
		if _, err := c.Write(mqttPacket(0x33, mqttText(fmt.Sprint("kept/", topic)), []byte{0, 1}, fmt.Append(nil, n))); err != nil {
			return err
		}
		if first, body, err := c.next(); err != nil || first != 0x40 {
			return fmt.Errorf("retained message %d: 0x%02x % x %w", n, first, body, err)
		}
		l.ledger.kept[topic].Store(int64(n))
		pause(until, 5*time.Millisecond)
	}
	c.leave()
	return nil
}

// compare subscribes anew again and again: what is retained may be no older than
// what had been acknowledged.
func (l *lan) compare(ctx, until context.Context) error {
	for pause(until, time.Second) {
		var promised [keptTopics]int64
		open := 0
		for i := range promised {
			if promised[i] = l.ledger.kept[i].Load(); promised[i] > 0 {
				open++
			}
		}
		if err := l.compareOnce(ctx, &promised, open); err != nil {
			return fmt.Errorf("retained messages: %w", err)
		}
	}
	return nil
}

func (l *lan) compareOnce(ctx context.Context, promised *[keptTopics]int64, open int) error {
	c, err := l.connect(ctx, hello{id: "comparer"})
	if err != nil {
		return err
	}
	defer c.leave()
	if err := c.subscribe("kept/#", 0); err != nil {
		return err
	}
	for open > 0 {
		first, body, err := c.next()
		if err != nil {
			return fmt.Errorf("%d are missing: %w", open, err)
		}
		m, err := parseMessage(first, body)
		if err != nil {
			return err
		}
		var topic int
		var n int64
		_, _ = fmt.Sscanf(m.topic+" "+string(m.payload), "kept/%d %d", &topic, &n)
		if topic < 0 || topic >= keptTopics || promised[topic] == 0 {
			continue
		}
		if n < promised[topic] {
			return fmt.Errorf("%s is %d, was %d", m.topic, n, promised[topic])
		}
		promised[topic] = 0
		open--
	}
	l.ledger.compared.Add(1)
	return nil
}

// keptNumbers are those that were acknowledged, by topic.
type keptNumbers [keptTopics]atomic.Int64
