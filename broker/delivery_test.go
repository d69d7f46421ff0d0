package broker_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	sessions "sluice/broker/session"
	"sluice/broker/topic"
)

func receiveMaximum(n uint16) option {
	return func(pk *packets.Packet) { pk.Properties.ReceiveMaximum = n }
}

func maximumPacket(n uint32) option {
	return func(pk *packets.Packet) { pk.Properties.MaximumPacketSize = n }
}

// subscribeWith subscribes with the options of MQTT 5.
func (c *client) subscribeWith(id uint16, subs ...packets.Subscription) {
	c.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: id, Filters: subs}
	if n := subs[0].Identifier; n > 0 {
		pk.Properties.SubscriptionIdentifier = []int{n}
	}
	c.send(pk)
	for i, code := range c.want(packets.Suback).ReasonCodes {
		if code > 2 {
			c.t.Fatalf("SUBACK %d: 0x%02x", i, code)
		}
	}
}

func puback(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: id}
}

// publishMany has the gateway publish n numbered messages.
func publishMany(t *testing.T, b *broker.Broker, name string, from, n int) {
	t.Helper()
	for i := range n {
		send(t, b, topic.Message{Topic: name, Payload: strconv.AppendInt(nil, int64(from+i), 10), QoS: 1})
	}
}

// TestSlowSubscriber: all that was published to one that reads late arrives, in
// order and unmarked, whether it was connected meanwhile or away.
func TestSlowSubscriber(t *testing.T) {
	const n = 20_000
	for _, away := range []bool{false, true} {
		b := start(t, broker.Config{})
		c := connect(t, b, session("c", false))
		c.subscribe(1, 1, "a")
		if away {
			c.send(disconnect(0))
			c.wantClosed()
		}
		publishMany(t, b, "a", 0, n)
		if away {
			c = connect(t, b, session("c", false))
		}
		for i := range n {
			if pk := c.wantMessage("a", strconv.Itoa(i)); pk.FixedHeader.Dup {
				t.Fatalf("message %d is marked as sent before", i)
			}
		}
		c.wantPong()
		if got := b.Stats(); got.Dropped != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestAllRetained: 20,000 retained messages arrive, in the order of publishing.
func TestAllRetained(t *testing.T) {
	const n = 20_000
	b := start(t, broker.Config{})
	for i := range n {
		send(t, b, topic.Message{Topic: fmt.Sprintf("r/%d", i), Payload: []byte("x"), QoS: 1, Retain: true})
	}
	send(t, b, topic.Message{Topic: "r/0", Payload: []byte("newer"), QoS: 1, Retain: true})
	c := connect(t, b)
	c.subscribe(1, 1, "r/+")
	for i := 1; i < n; i++ {
		if pk := c.wantMessage(fmt.Sprintf("r/%d", i), "x"); !pk.FixedHeader.Retain {
			t.Fatal("without the retain flag")
		}
	}
	c.wantMessage("r/0", "newer")
	c.wantPong()
}

// TestReconnectStorm: 6,000 messages of publishers that are acknowledged all
// reach a subscriber that loses its connection all the time, first receptions in
// order.
func TestReconnectStorm(t *testing.T) {
	const n = 6000
	b := start(t, broker.Config{})
	c := connect(t, b, session("c", false))
	c.subscribe(1, 1, "a")
	done := make(chan struct{})
	go func() {
		defer close(done)
		publishMany(t, b, "a", 0, n)
	}()
	for next, left := 0, 0; next < n; {
		if left == 0 {
			_ = c.nc.Close()
			c = connect(t, b, session("c", false))
			left = 1 + rand.IntN(300)
		}
		left--
		pk := c.want(packets.Publish)
		got, _ := strconv.Atoi(string(pk.Payload))
		if got > next {
			t.Fatalf("got %d, want %d", got, next)
		}
		next = max(next, got+1)
		if left%3 > 0 { // the others come again
			c.send(puback(pk.PacketID))
		}
	}
	<-done
}

// TestQoS2OverDrops: over 160 lost connections each of 300 messages arrives
// exactly once, in order.
func TestQoS2OverDrops(t *testing.T) {
	const n, drops = 300, 160
	b := start(t, broker.Config{})
	c := connect(t, b, session("c", false))
	c.subscribe(1, 2, "a")
	for i := range n {
		send(t, b, topic.Message{Topic: "a", Payload: strconv.AppendInt(nil, int64(i), 10), QoS: 2})
	}
	held := map[uint16]bool{} // the client's part of the session
	next, completed := 0, 0
	for cut := 0; completed < n; cut++ {
		for budget := rand.IntN(12); completed < n && (budget > 0 || cut >= drops); budget-- {
			pk, err := c.read(patience)
			if err != nil {
				t.Fatal(err)
			}
			switch pk.FixedHeader.Type {
			case packets.Publish:
				if !held[pk.PacketID] {
					if string(pk.Payload) != strconv.Itoa(next) {
						t.Fatalf("got %s, want %d", pk.Payload, next)
					}
					next++
				}
				held[pk.PacketID] = true
				c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: pk.PacketID})
			case packets.Pubrel:
				if held[pk.PacketID] {
					completed++
				}
				delete(held, pk.PacketID)
				c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: pk.PacketID})
			}
		}
		if cut < drops {
			_ = c.nc.Close()
			c = connect(t, b, session("c", false))
		}
	}
	c.wantOnlyReleases(held)
}

// wantOnlyReleases completes the releases whose answer went down with the last
// connection, and takes nothing else before the pong.
func (c *client) wantOnlyReleases(held map[uint16]bool) {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	for {
		pk, err := c.read(patience)
		switch {
		case err != nil:
			c.t.Fatal(err)
		case pk.FixedHeader.Type == packets.Pingresp:
			return
		case pk.FixedHeader.Type != packets.Pubrel || held[pk.PacketID]:
			c.t.Fatalf("got %s of %d", packets.PacketNames[pk.FixedHeader.Type], pk.PacketID)
		}
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: pk.PacketID})
	}
}

func TestReceiveMaximum(t *testing.T) {
	b := start(t, broker.Config{})
	live := connect(t, b, version(5), receiveMaximum(5))
	live.subscribe(1, 1, "a")
	away := connect(t, b, version(5), session("away", false))
	away.subscribe(1, 1, "a")
	away.send(disconnect(0))
	away.wantClosed()
	publishMany(t, b, "a", 0, 2000)
	back := connect(t, b, version(5), session("away", false), receiveMaximum(5))
	for _, c := range []*client{live, back} {
		var open []uint16
		for i := range 5 {
			open = append(open, c.wantUnanswered("a", strconv.Itoa(i), false).PacketID)
		}
		c.wantSilence()
		for _, id := range open {
			c.send(puback(id))
		}
		for i := 5; i < 2000; i++ {
			c.wantMessage("a", strconv.Itoa(i))
		}
	}
}

// TestMaximumPacket: a message larger than the client takes is left out, and does
// not poison the session.
func TestMaximumPacket(t *testing.T) {
	b := start(t, broker.Config{})
	c := connect(t, b, version(5), session("c", false))
	c.subscribe(1, 1, "a")
	c.leave(b)
	send(t, b, topic.Message{Topic: "a", Payload: make([]byte, 500), QoS: 1})
	send(t, b, topic.Message{Topic: "a", Payload: []byte("small"), QoS: 1})
	c = connect(t, b, version(5), session("c", false), maximumPacket(100))
	c.wantMessage("a", "small")
	c.wantPong()
	if got := b.Stats(); got.Sessions.Large != 1 {
		t.Errorf("%+v", got)
	}
}

func TestMessageExpiry(t *testing.T) {
	b := start(t, broker.Config{})
	sub := connect(t, b, version(5), session("c", false))
	sub.subscribe(1, 1, "a")
	sub.leave(b) // else what expires may be on its way, and then has to arrive
	c := connect(t, b, version(5))
	for i, life := range []uint32{1, 100} {
		pk := retained(publish("a", fmt.Sprint(life), 1, uint16(i+1)))
		pk.Properties.MessageExpiryInterval = life
		c.send(pk)
		c.wantAnswer(packets.Puback, uint16(i+1), 0)
		if life == 1 {
			time.Sleep(1100 * time.Millisecond) // the one exact test is the session's
			late := connect(t, b, version(5))
			late.subscribe(1, 1, "#")
			late.wantSilence()
		}
	}
	sub = connect(t, b, version(5), session("c", false))
	if pk := sub.wantMessage("a", "100"); pk.Properties.MessageExpiryInterval == 0 || pk.Properties.MessageExpiryInterval > 100 {
		t.Errorf("expires in %d s", pk.Properties.MessageExpiryInterval)
	}
	sub.wantPong()
}

// TestRetainedFilters: every form of a filter finds the retained message and the
// live one.
func TestRetainedFilters(t *testing.T) {
	b := start(t, broker.Config{})
	send(t, b, topic.Message{Topic: "a", Payload: []byte("kept"), Retain: true})
	for _, filter := range []string{"a", "a/#", "+", "+/#", "#"} {
		c := connect(t, b)
		c.subscribe(1, 1, filter)
		if pk := c.wantMessage("a", "kept"); !pk.FixedHeader.Retain {
			t.Errorf("%s: without the retain flag", filter)
		}
		send(t, b, topic.Message{Topic: "a", Payload: []byte("live")})
		c.wantMessage("a", "live")
		c.send(disconnect(0))
		c.wantClosed()
	}
}

func TestSubscriptionOptions(t *testing.T) {
	b := start(t, broker.Config{})
	kept := topic.Message{Topic: "a/b", Payload: []byte("kept"), QoS: 1, Retain: true}
	send(t, b, kept)
	c := connect(t, b, version(5), session("c", false))
	c.subscribeWith(1, packets.Subscription{Filter: "a/b", Qos: 1, RetainHandling: 2, Identifier: 7, RetainAsPublished: true})
	c.wantSilence()
	c.subscribeWith(2, packets.Subscription{Filter: "a/+", Qos: 0, RetainHandling: 1, Identifier: 9, NoLocal: true})
	if pk := c.wantMessage("a/b", "kept"); !pk.FixedHeader.Retain || pk.FixedHeader.Qos != 0 || fmt.Sprint(pk.Properties.SubscriptionIdentifier) != "[9]" {
		t.Errorf("%+v", pk)
	}
	c.subscribeWith(3, packets.Subscription{Filter: "a/+", Qos: 0, RetainHandling: 1, Identifier: 9, NoLocal: true})
	c.wantSilence()
	send(t, b, kept) // once, for both subscriptions
	pk := c.wantMessage("a/b", "kept")
	if !pk.FixedHeader.Retain || pk.FixedHeader.Qos != 1 || len(pk.Properties.SubscriptionIdentifier) != 2 {
		t.Errorf("%+v", pk)
	}
	c.send(publish("a/b", "own", 1, 4)) // for the one that is not "no local"
	if pk := c.wantMessage("a/b", "own"); fmt.Sprint(pk.Properties.SubscriptionIdentifier) != "[7]" || pk.FixedHeader.Retain {
		t.Errorf("%+v", pk)
	}
	c.wantAnswer(packets.Puback, 4, 0)
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 5, Filters: packets.Subscriptions{{Filter: "a/b"}, {Filter: "x"}}})
	if ack := c.want(packets.Unsuback); ack.ReasonCodes[0] != 0 || ack.ReasonCodes[1] != 0x11 {
		t.Errorf("UNSUBACK %x", ack.ReasonCodes)
	}
	c.send(publish("a/b", "own", 1, 6))
	c.wantAnswer(packets.Puback, 6, 0)
	c.wantPong()
}

// TestShared: of a group each message goes to one member, and to those who are
// there before those who are away.
func TestShared(t *testing.T) {
	b := start(t, broker.Config{})
	send(t, b, topic.Message{Topic: "a", Payload: []byte("kept"), Retain: true})
	var members []*client
	for i := range 3 {
		c := connect(t, b, version(5), session(fmt.Sprint("c", i), false))
		c.subscribe(1, 1, "$share/g/a", "$share/g/a/#")
		members = append(members, c)
	}
	other := connect(t, b)
	other.subscribe(1, 1, "$share/other/#")
	_ = members[2].nc.Close()
	until(t, func() bool { return b.Stats().Clients == 3 })
	publishMany(t, b, "a/x", 0, 10)
	for i := range 10 {
		members[(i+1)%2].wantMessage("a/x", strconv.Itoa(i))
		other.wantMessage("a/x", strconv.Itoa(i))
	}
	for _, c := range members[:2] {
		c.wantPong()
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 2, Filters: packets.Subscriptions{{Filter: "$share/g/a/#"}}})
		c.want(packets.Unsuback)
	}
	publishMany(t, b, "a/x", 10, 1)
	back := connect(t, b, version(5), session("c2", false))
	back.wantMessage("a/x", "10")
}

// TestSessionEnds: a session ends when the client says so, and then nothing of it
// is left.
func TestSessionEnds(t *testing.T) {
	clean := func(v byte) []option { return []option{version(v), session("c", true)} }
	for _, tt := range []struct {
		name        string
		first, then []option
		present     bool
	}{
		{"kept, 3.1.1", []option{session("c", false)}, []option{session("c", false)}, true},
		{"kept, 5", []option{version(5), session("c", false)}, []option{version(5), session("c", false)}, true},
		{"clean start", []option{version(5), session("c", false)}, clean(5), false},
		{"was clean, 3.1.1", clean(4), []option{session("c", false)}, false},
		{"no expiry, 5", clean(5), []option{version(5), session("c", false)}, false},
	} {
		for _, takeover := range []bool{false, true} {
			b := start(t, broker.Config{})
			first := connect(t, b, tt.first...)
			first.subscribe(1, 1, "a")
			if !takeover {
				_ = first.nc.Close()
				until(t, func() bool { return b.Stats().Clients == 0 })
			}
			second, ack := tryConnect(t, b, tt.then...)
			if ack.SessionPresent != tt.present {
				t.Errorf("%s, takeover %v: session present %v", tt.name, takeover, ack.SessionPresent)
			}
			send(t, b, topic.Message{Topic: "a", Payload: []byte("x"), QoS: 1})
			if tt.present {
				second.wantMessage("a", "x")
			}
			second.wantPong()
		}
	}
}

// TestUnknownIdentifiers: acknowledgements of what is not in flight are answered,
// where there is an answer, and change nothing.
func TestUnknownIdentifiers(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Session: sessions.Limits{Window: 1}}})
	c := connect(t, b, version(5))
	c.subscribe(1, 1, "a")
	publishMany(t, b, "a", 0, 2)
	id := c.wantUnanswered("a", "0", false).PacketID
	c.send(puback(id+1), pubrel(id))
	c.wantAnswer(packets.Pubcomp, id, 0x92)
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id})
	if pk := c.want(packets.Pubrel); pk.PacketID != id || pk.ReasonCode != 0x92 {
		t.Errorf("PUBREL %d 0x%02x", pk.PacketID, pk.ReasonCode)
	}
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: id})
	c.wantPong()
	c.send(puback(id))
	c.wantMessage("a", "1")
}
