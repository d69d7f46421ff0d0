package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// The pace of each publisher: so many messages at once, acknowledged before the
// next. Ten of them make a thousand a second.
const (
	lanBatch = 10
	lanEvery = 100 * time.Millisecond
)

// lanPublisher sends numbered messages to lan/{name}. One that dies ends its
// connections in the middle and goes on with its session where it was.
type lanPublisher struct {
	*lan
	name string
	qos  byte
	dies bool

	before         int // messages acknowledged in earlier batches
	sent           bool
	received, done int // of the batch: up to PUBREC, and acknowledged
}

func (l *lan) publisher(name string, qos byte, dies bool) *lanPublisher {
	return &lanPublisher{lan: l, name: name, qos: qos, dies: dies}
}

var errDied = errors.New("ended on purpose")

// run finishes its last batch on ctx, when until has ended.
func (p *lanPublisher) run(ctx, until context.Context) error {
	var former *lanClient
	for {
		c, err := p.connect(ctx, hello{id: p.name, kept: p.dies})
		if former != nil {
			former.lose()
		}
		if err == nil {
			err = p.publish(c, until)
		}
		switch {
		case err == nil:
			c.leave()
			return nil
		case !errors.Is(err, errDied):
			return fmt.Errorf("%s: %w", p.name, err)
		case rand.N(2) == 0: // the next connection takes over
			former = c
		default:
			c.lose()
			former = nil
		}
	}
}

func (p *lanPublisher) publish(c *lanClient, until context.Context) error {
	for p.sent || until.Err() == nil {
		if err := p.settle(c); err != nil {
			return err
		}
		p.before += lanBatch
		p.sent, p.received, p.done = false, 0, 0
		if p.qos > 0 {
			p.ledger.acked(p.name, p.before)
		}
		pause(until, lanEvery)
	}
	return nil
}

// settle sends what of a batch has no acknowledgement, and waits until all has.
func (p *lanPublisher) settle(c *lanClient) error {
	var out []byte
	for n := p.done; n < lanBatch; n++ {
		if n < p.received {
			out = append(out, mqttAck(0x62, uint16(n+1))...)
		} else {
			out = append(out, p.packet(n)...)
		}
	}
	p.sent = true
	if _, err := c.Write(out); err != nil {
		return err
	}
	if p.qos == 0 {
		return nil
	}
	for p.done < lanBatch {
		if p.dies && rand.N(20*lanBatch) == 0 {
			return errDied
		}
		if err := p.acknowledged(c); err != nil {
			return err
		}
	}
	return nil
}

func (p *lanPublisher) packet(n int) []byte {
	payload := id{p.name, p.before + n + 1}.payload()
	if p.qos == 0 {
		return mqttPacket(0x30, mqttText("lan/"+p.name), payload)
	}
	first := 0x30 | p.qos<<1
	if p.sent {
		first |= 8
	}
	return mqttPacket(first, mqttText("lan/"+p.name), []byte{0, byte(n + 1)}, payload)
}

// acknowledged takes the next acknowledgement, which must be in order.
func (p *lanPublisher) acknowledged(c *lanClient) error {
	first, body, err := c.next()
	if err != nil {
		return err
	}
	of := &p.done
	if first == 0x50 {
		of = &p.received
	}
	if len(body) != 2 || int(binary.BigEndian.Uint16(body)) != *of+1 {
		return fmt.Errorf("message %d was not acknowledged next: 0x%02x % x", p.before+*of+1, first, body)
	}
	*of++
	if first == 0x50 {
		_, err = c.Write(mqttAck(0x62, uint16(p.received)))
	}
	return err
}

// mortal is a client that lives for a moment again and again and says no more than
// its will, which the first of those who are judged must get each time.
func (l *lan) mortal(name string) talker {
	return func(ctx, until context.Context) error {
		for n := 1; until.Err() == nil; n++ {
			c, err := l.connect(ctx, hello{id: name, will: id{name, n}.payload()})
			if err != nil {
				return err
			}
			pause(until, between(0, time.Second))
			c.lose()
			l.ledger.acked(name, n)
			if err := l.await(ctx, name, n); err != nil {
				return err
			}
		}
		return nil
	}
}

func (l *lan) await(ctx context.Context, name string, n int) error {
	for end := time.Now().Add(lanPatience); time.Now().Before(end) && pause(ctx, 10*time.Millisecond); {
		if l.judged[0].has(name) >= n {
			return nil
		}
	}
	return fmt.Errorf("will %d of %s did not come", n, name)
}
