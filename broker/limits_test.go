package broker_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

func TestClientLimit(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Clients: 4}})
	var clients []*client
	for range 4 {
		clients = append(clients, connect(t, b))
	}
	if _, ack := tryConnect(t, b); ack.ReasonCode != 3 {
		t.Errorf("CONNACK %d, want 3: server unavailable", ack.ReasonCode)
	}
	if _, ack := tryConnect(t, b, version(5)); ack.ReasonCode != 0x89 {
		t.Errorf("CONNACK 0x%02x, want 0x89: server busy", ack.ReasonCode)
	}
	clients[0].leave(b)
	connect(t, b)
	if got := b.Stats().Turned[broker.RefusedClients]; got != 2 {
		t.Errorf("%d refusals were counted, want 2", got)
	}
}

// TestConnectionLimit: connections that have not sent CONNECT are bounded too. That
// they are for a short time only is part of TestTurnedAway.
func TestConnectionLimit(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Clients: 1, ConnectTimeout: 2 * patience}})
	waiting, refused := dial(t, b), dial(t, b)
	_ = refused.SetReadDeadline(time.Now().Add(patience))
	if _, err := refused.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("%v, want to be closed", err)
	}
	if c, ack := converse(t, waiting); ack.ReasonCode != 0 {
		t.Errorf("CONNACK %d of the one that was first", ack.ReasonCode)
	} else {
		c.wantPong()
	}
}

func TestSessionLimit(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Clients: 4}})
	for i := range 8 {
		connect(t, b, session(fmt.Sprint(i), false)).leave(b)
	}
	if _, ack := tryConnect(t, b, session("8", false)); ack.ReasonCode != 3 {
		t.Errorf("CONNACK %d, want 3: server unavailable", ack.ReasonCode)
	}
	if _, ack := tryConnect(t, b, session("7", false)); !ack.SessionPresent {
		t.Error("a known session was not resumed")
	}
}

// leave disconnects and waits until the broker has noticed.
func (c *client) leave(b *broker.Broker) {
	c.t.Helper()
	clients := b.Stats().Clients
	c.send(disconnect(0))
	c.wantClosed()
	_ = c.nc.Close()
	until(c.t, func() bool { return b.Stats().Clients < clients })
}

func TestPacketLimit(t *testing.T) {
	b := start(t, broker.Config{})
	c, ack := tryConnect(t, b, version(5))
	if ack.Properties.MaximumPacketSize != 256<<10 || ack.Properties.ReceiveMaximum != 1024 {
		t.Errorf("announced %d bytes and %d messages", ack.Properties.MaximumPacketSize, ack.Properties.ReceiveMaximum)
	}
	c.send(publish("a", strings.Repeat("x", 256<<10-64), 1, 1))
	c.wantAnswer(packets.Puback, 1, 0)
	large := c.encode(publish("a", strings.Repeat("x", 256<<10), 1, 2))
	_, _ = c.nc.Write(large[:5]) // refused before its payload has come
	c.wantDisconnect(0x95)
}

// TestTopicAlias: an alias stands for a topic as long as the connection lasts, and
// for another one when the client says so.
func TestTopicAlias(t *testing.T) {
	aliased := func(name string, alias, id uint16) packets.Packet {
		pk := publish(name, "x", 1, id)
		pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = alias, true
		return pk
	}
	b := start(t, broker.Config{Limits: broker.Limits{Aliases: 2}})
	witness := connect(t, b)
	witness.subscribe(1, 0, "#")
	c, ack := tryConnect(t, b, version(5), session("c", false))
	if got := ack.Properties.TopicAliasMaximum; got != 2 {
		t.Errorf("announced %d aliases", got)
	}
	c.send(aliased("a", 1, 1), aliased("b", 2, 2), aliased("", 1, 3), aliased("", 2, 4), aliased("c", 1, 5), aliased("", 1, 6))
	for i, want := range []string{"a", "b", "a", "b", "c", "c"} {
		c.wantAnswer(packets.Puback, uint16(i+1), 0)
		if pk := witness.want(packets.Publish); pk.TopicName != want {
			t.Errorf("message %d is on %q, want %q", i, pk.TopicName, want)
		}
	}
	c.send(aliased("d", 3, 7))
	c.wantDisconnect(0x94)
	c = connect(t, b, version(5), session("c", false))
	c.send(aliased("", 1, 8)) // of the connection before
	c.wantDisconnect(0x82)
	if got := b.Stats().Turned; got[broker.RefusedAlias] != 1 || got[broker.RefusedPacket] != 1 {
		t.Errorf("counted %v", got)
	}
}

// TestServerKeepalive: an MQTT 5 client that asks for more is told what it gets.
func TestServerKeepalive(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Keepalive: time.Minute}})
	for asked, want := range map[uint16]uint16{0: 60, 61: 60, 60: 0, 10: 0} {
		_, ack := tryConnect(t, b, version(5), func(pk *packets.Packet) { pk.Connect.Keepalive = asked })
		if got := ack.Properties.ServerKeepAlive; got != want || ack.Properties.ServerKeepAliveFlag != (want > 0) {
			t.Errorf("asked for %d s, was given %d", asked, got)
		}
	}
	b = start(t, broker.Config{Limits: broker.Limits{Keepalive: time.Second}})
	silent := connect(t, b, version(5), func(pk *packets.Packet) { pk.Connect.Keepalive = 0 })
	silent.wantDisconnect(0x8d)
}

func TestFilters(t *testing.T) {
	deep := strings.Repeat("a/", 32) + "#"
	for _, tt := range []struct {
		filter string
		ok     bool
	}{
		{"a/#", true},
		{"#", true},
		{deep[2:], true},
		{deep, false},
		{strings.Repeat("/", 60000), false},
		{"a/#/b", false},
		{"a+", false},
		{"$share/group/a/+", true},
		{"$share/group/" + deep, false},
		{"$share/group", false},
		{"$share//a", false},
		{"$share/+/a", false},
		{"", false},
	} {
		b := start(t, broker.Config{})
		for v, refused := range map[byte]byte{4: 0x80, 5: 0x8f} {
			c := connect(t, b, version(v))
			want := []byte{1, 1}
			if !tt.ok {
				want[0] = refused
			}
			if got := c.subscribe(1, 1, tt.filter, "good"); !slices.Equal(got, want) {
				t.Errorf("v%d %.20q: SUBACK %x, want %x", v, tt.filter, got, want)
			}
		}
	}
}

func TestFilterLimit(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Filters: 2}})
	c := connect(t, b)
	if got := c.subscribe(1, 0, "a", "b", "c"); !slices.Equal(got, []byte{0, 0, 0x80}) {
		t.Errorf("SUBACK %x", got)
	}
}

func TestRetainedLimit(t *testing.T) {
	b := start(t, broker.Config{Limits: broker.Limits{Retained: 30}}) // mochi's $SYS messages are some 20
	c := connect(t, b, version(5))
	for i := range 40 {
		c.send(retained(publish(fmt.Sprintf("a/%d", i), "x", 1, 1)))
		if pk := c.want(packets.Puback); pk.ReasonCode == 0x97 {
			if got := b.Stats().Retained; got != 30 {
				t.Errorf("refused at %d messages, want 30", got)
			}
			break
		} else if i == 39 {
			t.Error("never refused")
		}
	}
	c.send(retained(publish("a/0", "y", 1, 2)), retained(publish("a/0", "", 1, 3)), publish("a/new", "x", 1, 4))
	for id := range uint16(3) {
		c.wantAnswer(packets.Puback, id+2, 0)
	}
	send(t, b, topic.Message{Topic: "gateway", Payload: []byte("x"), Retain: true})
}

// TestKeepalive: 1.5 times the keepalive is the least that a client has, and MQTT 5
// ones are told what ended the connection.
func TestKeepalive(t *testing.T) {
	b := start(t, broker.Config{})
	for _, v := range []byte{4, 5} {
		t0 := time.Now()
		c := connect(t, b, version(v), func(pk *packets.Packet) { pk.Connect.Keepalive = 1 })
		c.wantDisconnect(0x8d)
		if d := time.Since(t0); d < 1500*time.Millisecond {
			t.Errorf("v%d: closed after %v, want 1.5 s and a little", v, d)
		}
	}
}
