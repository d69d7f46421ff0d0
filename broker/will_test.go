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
