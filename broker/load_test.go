package broker_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	sessions "sluice/broker/session"
	"sluice/broker/topic"
)

func messages(name string, from, n int) []packets.Packet {
	var out []packets.Packet
	for i := range n {
		out = append(out, publish(name, fmt.Sprint(from+i), 1, uint16(i+1)))
	}
	return out
}

// TestManyPublishers has 20 clients publish, as fast as they can, to a subscriber
// that acknowledges: nothing is lost or reordered, and nothing locks up.
func TestManyPublishers(t *testing.T) {
	const publishers, each = 20, 500
	b := start(t, broker.Config{})
	for _, v := range []byte{4, 5} { // mochi deadlocks if an MQTT 5 subscriber has a receive maximum
		sub := connect(t, b, version(v), func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = 1000 })
		sub.subscribe(1, 1, fmt.Sprintf("load%d/#", v))
		var running sync.WaitGroup
		for i := range publishers {
			c := connect(t, b)
			bytes := c.encode(messages(fmt.Sprintf("load%d/%d", v, i), 0, each)...)
			running.Go(func() {
				for n := range each {
					c.wantAnswer(packets.Puback, uint16(n+1), 0)
				}
			})
			running.Go(func() { _, _ = c.nc.Write(bytes) })
		}
		t0 := time.Now()
		next := map[string]int{}
		for range publishers * each {
			pk := sub.want(packets.Publish)
			sub.wantMessageIs(pk, fmt.Sprint(next[pk.TopicName]))
			next[pk.TopicName]++
		}
		t.Logf("v%d: %.0f messages/s", v, publishers*each/time.Since(t0).Seconds())
		running.Wait()
	}
	if got := b.Stats().Dropped; got != 0 {
		t.Errorf("%d dropped", got)
	}
}

func (c *client) wantMessageIs(pk packets.Packet, payload string) {
	c.t.Helper()
	if string(pk.Payload) != payload {
		c.t.Fatalf("%s: got %q, want %q", pk.TopicName, pk.Payload, payload)
	}
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID})
}

// TestPipelining: a client that does not wait for acknowledgements is not slowed
// down to one message per commit: all that it sends before the first is taken.
func TestPipelining(t *testing.T) {
	const each = 1000
	var offered atomic.Int64
	committed := make(chan struct{})
	b := start(t, broker.Config{}, func(topic.Message) (wait, error) {
		offered.Add(1)
		return func(ctx context.Context) error {
			select {
			case <-committed:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, nil
	})
	c := connect(t, b)
	c.send(messages("a", 0, each)...)
	until(t, func() bool { return offered.Load() == each })
	close(committed)
	for n := range each {
		c.wantAnswer(packets.Puback, uint16(n+1), 0)
	}
}

// TestStalledSubscriber: a subscriber that does not read keeps nobody waiting. It
// has the oldest messages when it comes back, as many as are kept for it, and the
// one beside it gets everything.
func TestStalledSubscriber(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		b := start(t, broker.Config{Limits: broker.Limits{StallTimeout: time.Hour, Session: sessions.Limits{SessionBytes: 1 << 20}}})
		stalled, healthy := connect(t, b, session("stalled", false)), connect(t, b)
		stalled.subscribe(1, qos, "a")
		healthy.subscribe(1, qos, "a")
		fill := strings.Repeat("x", 4000)
		n := 0
		for ; b.Stats().Dropped == 0; n++ {
			send(t, b, topic.Message{Topic: "a", Payload: fmt.Append(nil, n, fill), QoS: 1})
			healthy.wantMessage("a", fmt.Sprint(n, fill))
		}
		if got := b.Stats(); got.Sessions.Full != 1 {
			t.Errorf("QoS %d: after %d messages %+v", qos, n, got)
		}
		until(t, func() bool { return b.Stats().Queued <= 1<<20 }) // once the other's acknowledgements have come
		c, ack := tryConnect(t, b, session("stalled", false))
		if !ack.SessionPresent {
			t.Error("session lost")
		}
		for i := 0; qos == 1 && i < n-1; i++ { // the newest was dropped
			c.wantMessage("a", fmt.Sprint(i, fill))
		}
		c.wantPong()
	}
}

// TestTakeoverOfStalled: a client can come back while its old connection is stuck.
func TestTakeoverOfStalled(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{PendingBytes: 32 << 20}})
	stalled := connect(t, b, session("c", true))
	stalled.subscribe(1, 1, "a")
	for range 4000 { // more than the socket takes
		send(t, b, topic.Message{Topic: "a", Payload: make([]byte, 4000), QoS: 1})
	}
	connect(t, b, session("c", true)).wantPong()
}

// TestStallTimeout: not reading is noticed even when little is pending.
func TestStallTimeout(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{PendingBytes: 32 << 20, StallTimeout: 100 * time.Millisecond}})
	stalled := connect(t, b)
	stalled.subscribe(1, 0, "a")
	for range 4000 {
		send(t, b, topic.Message{Topic: "a", Payload: make([]byte, 4000)})
	}
	until(t, func() bool { return b.Stats().Clients == 0 })
}

// TestUnacknowledged: a subscriber that acknowledges nothing gets a window of
// messages, and the oldest of what was published are kept for it.
func TestUnacknowledged(t *testing.T) {
	const window, kept = 10, 50
	for _, v := range []byte{4, 5} {
		b := start(t, broker.Config{Limits: broker.Limits{Session: sessions.Limits{Window: window, Messages: kept}}})
		sub := connect(t, b, version(v), session("c", false))
		sub.subscribe(1, 1, "a")
		for i := range 100 {
			send(t, b, topic.Message{Topic: "a", Payload: fmt.Append(nil, i), QoS: 1})
		}
		for i := range window {
			sub.wantUnanswered("a", fmt.Sprint(i), false)
		}
		sub.wantSilence()
		if got := b.Stats().Dropped; got != 100-window-kept {
			t.Errorf("%d dropped", got)
		}
		_ = sub.nc.Close()
		sub = connect(t, b, version(v), session("c", false))
		for i := range window + kept {
			pk := sub.wantMessage("a", fmt.Sprint(i))
			if pk.FixedHeader.Dup != (i < window) {
				t.Errorf("message %d has DUP %v", i, pk.FixedHeader.Dup)
			}
		}
		sub.wantPong()
	}
}

// wantUnanswered expects a message and leaves it without acknowledgement.
func (c *client) wantUnanswered(name, payload string, dup bool) packets.Packet {
	c.t.Helper()
	pk := c.want(packets.Publish)
	if pk.TopicName != name || string(pk.Payload) != payload || pk.FixedHeader.Dup != dup {
		c.t.Fatalf("got %s %q, DUP %v, want %s %q", pk.TopicName, pk.Payload, pk.FixedHeader.Dup, name, payload)
	}
	return pk
}

// TestRetainedBurst: a subscriber gets all retained messages, however many there
// are and however slowly it reads.
func TestRetainedBurst(t *testing.T) {
	const n = 10000
	b := start(t, broker.Config{Limits: broker.Limits{PendingBytes: 1 << 20}})
	for i := range n {
		send(t, b, topic.Message{Topic: fmt.Sprintf("burst/%d", i), Payload: []byte(strings.Repeat("x", 1000)), QoS: 1, Retain: true})
	}
	for qos := range byte(2) {
		sub, sent := connect(t, b), b.Stats().Sent
		sub.subscribe(1, qos, "burst/#")
		until(t, func() bool { return b.Stats().Sent-sent > 500 }) // of the 10 MB, unread
		seen := map[string]bool{}
		for range n {
			pk := sub.want(packets.Publish)
			seen[pk.TopicName] = true
			if qos == 1 {
				sub.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID})
			}
		}
		if len(seen) != n {
			t.Errorf("QoS %d: %d different messages, want %d", qos, len(seen), n)
		}
		sub.wantPong()
	}
	if got := b.Stats().Dropped; got != 0 {
		t.Errorf("%d dropped", got)
	}
}
