package broker_test

import (
	"slices"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

func TestWill(t *testing.T) {
	gone := topic.Message{Topic: "state", Payload: []byte("gone"), QoS: 1, Retain: true}
	for _, tt := range []struct {
		name  string
		leave func(*client)
		sent  bool
	}{
		{"connection lost", func(c *client) { _ = c.nc.Close() }, true},
		{"DISCONNECT", func(c *client) { c.send(disconnect(0)); c.wantClosed() }, false},
		{"protocol error", func(c *client) { c.send(publish("a", "x", 0, 1)); _, _ = c.nc.Write([]byte{0xff}) }, true},
		{"SUBSCRIBE cut short", func(c *client) { _, _ = c.nc.Write([]byte{0x82, 5, 0, 1, 0, 1, 'a'}); c.wantClosed() }, true},
		{"refused message", func(c *client) { c.send(publish("mine", "x", 1, 1)); c.wantClosed() }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s store
			b := start(t, broker.Config{Protected: []string{"mine"}}, s.tap)
			sub := connect(t, b)
			sub.subscribe(1, 1, "state")
			tt.leave(connect(t, b, will(gone)))
			if !tt.sent {
				sub.wantSilence()
				return
			}
			sub.wantMessage("state", "gone")
			sub.wantPong()
			late := connect(t, b)
			late.subscribe(1, 0, "state")
			late.wantMessage("state", "gone")
			until(t, func() bool { return b.Stats().Clients == 2 })
			if got := s.payloads(); !slices.Contains(got, "gone") {
				t.Errorf("offered %v", got)
			}
		})
	}
}

// TestDelayedWill: a will never waits beyond the end of the session.
func TestDelayedWill(t *testing.T) {
	var s store
	b := start(t, broker.Config{}, s.tap)
	sub := connect(t, b)
	sub.subscribe(1, 1, "state")
	delay := func(pk *packets.Packet) { pk.Connect.WillProperties.WillDelayInterval = 60 }
	c := connect(t, b, version(5), will(topic.Message{Topic: "state", Payload: []byte("gone")}), delay)
	_ = c.nc.Close()
	sub.wantMessage("state", "gone")
	c = connect(t, b, version(5), session("c", false), will(topic.Message{Topic: "state", Payload: []byte("back soon")}), delay)
	_ = c.nc.Close()
	sub.wantSilence()
}

// TestWillOf5: of all DISCONNECTs only the normal one takes the will back.
func TestWillOf5(t *testing.T) {
	for reason, sent := range map[byte]bool{0: false, 4: true, 0x81: true} {
		b := start(t, broker.Config{})
		sub := connect(t, b)
		sub.subscribe(1, 1, "state")
		c := connect(t, b, version(5), will(topic.Message{Topic: "state", QoS: 1})) // an empty one is one
		c.send(disconnect(reason))
		if sent {
			sub.wantMessage("state", "")
		}
		sub.wantPong()
	}
}

func TestWillProperties(t *testing.T) {
	b := start(t, broker.Config{})
	sub := connect(t, b, version(5))
	sub.subscribe(1, 1, "state")
	c := connect(t, b, version(5), will(topic.Message{Topic: "state", Payload: []byte("gone")}), func(pk *packets.Packet) {
		pk.Connect.WillProperties.ContentType, pk.Connect.WillProperties.MessageExpiryInterval = "text/plain", 60
	})
	_ = c.nc.Close()
	if got := sub.wantMessage("state", "gone").Properties; got.ContentType != "text/plain" || got.MessageExpiryInterval == 0 {
		t.Errorf("%+v", got)
	}
}

// TestRefusedWills: a will is subject to what a message is, at CONNECT.
func TestRefusedWills(t *testing.T) {
	b := start(t, broker.Config{Protected: []string{"mine"}})
	for _, name := range []string{"$SYS/x", "a/+", "#", "mine"} {
		if _, ack := tryConnect(t, b, version(5), will(topic.Message{Topic: name, Payload: []byte("x")})); ack.ReasonCode < 0x80 {
			t.Errorf("%s: CONNACK 0x%02x", name, ack.ReasonCode)
		}
	}
}

// TestWillAndSession: what becomes of a delayed will when the client comes back.
func TestWillAndSession(t *testing.T) {
	b := start(t, broker.Config{})
	sub := connect(t, b)
	sub.subscribe(1, 1, "state")
	leave := func(delay uint32) {
		c := connect(t, b, version(5), session("c", false), will(topic.Message{Topic: "state", Payload: []byte("gone")}),
			func(pk *packets.Packet) { pk.Connect.WillProperties.WillDelayInterval = delay })
		_ = c.nc.Close()
		until(t, func() bool { return b.Stats().Clients == 1 })
	}
	leave(60)
	connect(t, b, version(5), session("c", false)).leave(b) // in time
	connect(t, b, version(5), session("c", true)).leave(b)  // ends the session, with which any will would be sent
	sub.wantPong()
	leave(1)
	sub.wantMessage("state", "gone") // too late
	leave(60)
	connect(t, b, version(5), session("c", true)) // the session ended
	sub.wantMessage("state", "gone")
	connect(t, b, version(5), session("c", true), will(topic.Message{Topic: "state", Payload: []byte("taken over")}))
	connect(t, b, version(5), session("c", true))
	sub.wantMessage("state", "taken over")
	sub.wantPong()
}
