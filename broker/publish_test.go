package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

func send(t *testing.T, b *broker.Broker, m topic.Message) {
	t.Helper()
	if err := b.Publish(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func TestGatewayMessages(t *testing.T) {
	var s store
	b := start(t, broker.Config{}, s.tap)
	send(t, b, topic.Message{Topic: "site/meter/power", Payload: []byte("1"), QoS: 1, Retain: true})
	c := connect(t, b)
	if got := c.subscribe(7, 1, "site/+/power", "site/#"); !slices.Equal(got, []byte{1, 1}) {
		t.Fatalf("SUBACK %v", got)
	}
	for range 2 { // once per filter
		if pk := c.wantMessage("site/meter/power", "1"); !pk.FixedHeader.Retain || pk.FixedHeader.Qos != 1 {
			t.Errorf("retained message came with %+v", pk.FixedHeader)
		}
	}
	send(t, b, topic.Message{Topic: "site/meter/power", Payload: []byte("2"), QoS: 1, Retain: true})
	if pk := c.wantMessage("site/meter/power", "2"); pk.FixedHeader.Retain {
		t.Error("a live message came as a retained one")
	}
	c.wantSilence()
	if got := s.payloads(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("offered %v", got)
	}
	send(t, b, topic.Message{Topic: "site/meter/power", Retain: true})
	until(t, func() bool { got := b.Stats(); return got.Clients == 1 && got.Received >= 3 && got.Sent >= 3 })
	connect(t, b).subscribe(1, 0, "site/#")
}

func TestGatewayGoesOnWithoutTap(t *testing.T) {
	full, working := store{err: errFull}, store{}
	b := start(t, broker.Config{}, full.tap, working.tap)
	c := connect(t, b)
	c.subscribe(1, 0, "a")
	if err := b.Publish(t.Context(), topic.Message{Topic: "a", Payload: []byte("x")}); !errors.Is(err, errFull) {
		t.Errorf("Publish returned %v, want the tap's error", err)
	}
	c.wantMessage("a", "x")
	if len(working.offered) != 1 {
		t.Error("the other tap was not offered the message")
	}
	if err := b.Publish(t.Context(), topic.Message{Topic: "a/+"}); err == nil {
		t.Error("a wildcard was published to")
	}
}

// TestAcknowledgedWhenStored: the answer leaves once waiting has ended, the
// message is routed at once.
func TestAcknowledgedWhenStored(t *testing.T) {
	for _, v := range []byte{4, 5} {
		for qos, kind := range map[byte]byte{1: packets.Puback, 2: packets.Pubrec} {
			t.Run(fmt.Sprintf("v%d QoS %d", v, qos), func(t *testing.T) {
				var s store
				release := s.hold("x")
				b := start(t, broker.Config{}, func(topic.Message) (wait, error) { return nil, nil }, s.tap)
				sub, c := connect(t, b), connect(t, b, version(v))
				sub.subscribe(1, 2, "a")
				c.send(publish("a", "x", qos, 9))
				if pk := sub.wantMessage("a", "x"); pk.FixedHeader.Qos != qos {
					t.Errorf("routed at QoS %d", pk.FixedHeader.Qos)
				}
				c.wantSilence()
				release()
				c.wantAnswer(kind, 9, 0)
				c.wantPong()
				sub.wantSilence()
			})
		}
	}
}

// TestOrderOfAcknowledgements: a message that no tap holds back is not
// acknowledged before one that is, nor is a refusal.
func TestOrderOfAcknowledgements(t *testing.T) {
	var s store
	release := s.hold("1")
	b := start(t, broker.Config{Protected: []string{"mine"}}, func(m topic.Message) (wait, error) {
		if m.Topic == "wanted" {
			return s.tap(m)
		}
		return nil, nil
	})
	c := connect(t, b, version(5))
	c.send(publish("wanted", "1", 1, 1), publish("unwanted", "2", 1, 2), publish("mine", "3", 1, 3), publish("wanted", "4", 2, 4))
	c.wantPong()
	c.wantSilence()
	release()
	c.wantAnswer(packets.Puback, 1, 0)
	c.wantAnswer(packets.Puback, 2, 0)
	c.wantAnswer(packets.Puback, 3, 0x87)
	c.wantAnswer(packets.Pubrec, 4, 0)
}

func TestRefusedByTap(t *testing.T) {
	for _, v := range []byte{4, 5} {
		for qos, kind := range map[byte]byte{1: packets.Puback, 2: packets.Pubrec} {
			t.Run(fmt.Sprintf("v%d QoS %d", v, qos), func(t *testing.T) {
				var s store
				b := start(t, broker.Config{}, s.tap)
				sub, c := connect(t, b), connect(t, b, version(v))
				sub.subscribe(1, 1, "#")
				c.send(publish("a", "taken", 1, 1))
				sub.wantMessage("a", "taken")
				c.wantAnswer(packets.Puback, 1, 0)
				s.mu.Lock()
				s.err = errFull
				s.mu.Unlock()
				c.send(publish("a", "refused", qos, 2), publish("a", "behind it", 1, 3))
				if v == 5 {
					c.wantAnswer(kind, 2, 0x97)
					c.wantAnswer(packets.Puback, 3, 0x97)
				} else {
					c.wantClosed()
					if got := s.payloads(); !slices.Equal(got, []string{"taken", "refused"}) {
						t.Errorf("offered %v", got)
					}
				}
				sub.wantSilence()
				if got := b.Stats().Refused; got == 0 {
					t.Error("not counted")
				}
			})
		}
	}
}

func TestRefusedQoS0IsRouted(t *testing.T) {
	s := store{err: errFull}
	b := start(t, broker.Config{}, s.tap)
	sub, c := connect(t, b), connect(t, b)
	sub.subscribe(1, 1, "#")
	c.send(publish("a", "x", 0, 0))
	sub.wantMessage("a", "x")
	c.wantPong()
	if got := b.Stats().Refused; got != 1 {
		t.Errorf("refused %d, want 1", got)
	}
}

// TestStoringFails: routed, but not acknowledged; a client that sends the message
// again has it offered again.
func TestStoringFails(t *testing.T) {
	for _, v := range []byte{4, 5} {
		s := store{fail: errFull}
		release := s.hold("x")
		b := start(t, broker.Config{}, s.tap)
		sub := connect(t, b)
		sub.subscribe(1, 0, "#")
		c := connect(t, b, version(v), session("c", false))
		c.send(publish("a", "x", 2, 1))
		sub.wantMessage("a", "x")
		release()
		if v == 5 {
			c.wantAnswer(packets.Pubrec, 1, 0x97)
		} else {
			c.wantClosed()
		}
		c = connect(t, b, version(v), session("c", false))
		c.send(repeated(publish("a", "x", 2, 1)))
		sub.wantMessage("a", "x")
	}
}

func TestQoS2(t *testing.T) {
	var s store
	b := start(t, broker.Config{}, s.tap)
	sub := connect(t, b)
	sub.subscribe(1, 0, "#")
	c := connect(t, b, version(5))
	for range 2 { // the identifier is free again
		c.send(publish("a", "x", 2, 1))
		c.wantAnswer(packets.Pubrec, 1, 0)
		c.send(repeated(publish("a", "x", 2, 1)))
		c.wantAnswer(packets.Pubrec, 1, 0)
		c.send(pubrel(1))
		c.wantAnswer(packets.Pubcomp, 1, 0)
		sub.wantMessage("a", "x")
	}
	c.send(pubrel(1))
	c.wantAnswer(packets.Pubcomp, 1, 0x92)
	sub.wantSilence()
	if got := len(s.payloads()); got != 2 {
		t.Errorf("offered %d times, want 2", got)
	}
}

// TestQoS2AcrossConnections: neither a lost connection nor a takeover makes a
// message arrive twice, or be acknowledged before it is stored.
func TestQoS2AcrossConnections(t *testing.T) {
	for _, v := range []byte{4, 5} {
		var s store
		release := s.hold("x")
		b := start(t, broker.Config{}, s.tap)
		sub := connect(t, b)
		sub.subscribe(1, 0, "#")
		lost := connect(t, b, version(v), session("c", false))
		lost.send(publish("a", "x", 2, 1))
		sub.wantMessage("a", "x")
		_ = lost.nc.Close()
		taken := connect(t, b, version(v), session("c", false))
		taken.send(repeated(publish("a", "x", 2, 1)))
		taken.wantPong()
		c, ack := tryConnect(t, b, version(v), session("c", false))
		if !ack.SessionPresent {
			t.Fatal("session lost")
		}
		c.send(repeated(publish("a", "x", 2, 1)))
		c.wantPong()
		c.wantSilence()
		release()
		c.wantAnswer(packets.Pubrec, 1, 0)
		c.send(pubrel(1))
		c.wantAnswer(packets.Pubcomp, 1, 0)
		sub.wantSilence()
		taken.wantDisconnect(0x8e)
		if got := len(s.payloads()); got != 1 {
			t.Errorf("offered %d times, want once", got)
		}
		c = connect(t, b, version(v), session("c", true))
		c.send(publish("a", "new session", 2, 1))
		sub.wantMessage("a", "new session")
	}
}

func TestDisconnectWhileOwed(t *testing.T) {
	var s store
	s.hold("x")
	b, stop := startWithStop(t, broker.Config{}, s.tap)
	sub, c := connect(t, b), connect(t, b)
	sub.subscribe(1, 0, "#")
	c.send(publish("a", "x", 1, 1), publish("a", "y", 1, 2))
	sub.wantMessage("a", "x")
	sub.wantMessage("a", "y")
	c.send(disconnect(0))
	c.wantClosed()
	if err := stop(); err != nil { // waits for every goroutine of the connection
		t.Error(err)
	}
}

// TestOwedIsBounded: a client that is owed too much is read no further, and goes
// on when something was stored.
func TestOwedIsBounded(t *testing.T) {
	var s store
	release := s.hold("1")
	b := start(t, broker.Config{Limits: broker.Limits{Owed: 2}}, s.tap)
	c := connect(t, b)
	var out []packets.Packet
	for i := range 10 {
		out = append(out, publish("a", fmt.Sprint(i+1), 1, uint16(i+1)))
	}
	c.send(out...)
	until(t, func() bool { return len(s.payloads()) >= 4 }) // one is waited for, two are queued, one is about to be
	c.wantSilence()
	if got := len(s.payloads()); got != 4 {
		t.Errorf("%d messages taken, want 4", got)
	}
	release()
	for i := range 10 {
		c.wantAnswer(packets.Puback, uint16(i+1), 0)
	}
}

func TestProtected(t *testing.T) {
	cfg := broker.Config{Protected: []string{"site/meter/power", "site/+/energy"}}
	for _, tt := range []struct {
		topic  string
		reason byte
	}{
		{"site/meter/power", 0x87},
		{"site/meter/energy", 0x87},
		{"site/meter/power/set", 0},
		{"site/meter", 0},
		{"$SYS/broker/uptime", 0x87},
		{"$sys", 0x87},
		{"a\x01b", 0},
		{"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6", 0},
		{"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/1/2/3/4/5/6/7", 0x90},
	} {
		t.Run(tt.topic, func(t *testing.T) {
			b := start(t, cfg)
			c5, c4 := connect(t, b, version(5)), connect(t, b)
			c5.send(publish(tt.topic, "x", 1, 1))
			c5.wantAnswer(packets.Puback, 1, tt.reason)
			c5.send(publish(tt.topic, "x", 2, 2))
			c5.wantAnswer(packets.Pubrec, 2, tt.reason)
			c4.send(publish(tt.topic, "x", 0, 0))
			c4.wantPong()
			c4.send(publish(tt.topic, "x", 1, 3))
			if tt.reason == 0 {
				c4.wantAnswer(packets.Puback, 3, 0)
			} else {
				c4.wantClosed()
			}
			_, ack5 := tryConnect(t, b, version(5), will(topic.Message{Topic: tt.topic, Payload: []byte("x")}))
			_, ack4 := tryConnect(t, b, will(topic.Message{Topic: tt.topic, Payload: []byte("x")}))
			if refused := tt.reason != 0; ack5.ReasonCode != tt.reason || (ack4.ReasonCode == 5) != refused {
				t.Errorf("wills: CONNACK 0x%02x and %d", ack5.ReasonCode, ack4.ReasonCode)
			}
			sub := connect(t, b)
			sub.subscribe(1, 0, "site/#")
			c5.send(retained(publish(tt.topic, "forged", 0, 0)))
			c5.wantPong()
			if tt.reason != 0 {
				sub.wantSilence()
			}
		})
	}
}

func TestProtectedMustBeFilters(t *testing.T) {
	if _, err := broker.New(broker.Config{Protected: []string{"a/#/b"}}, nil); err == nil {
		t.Error("a/#/b was accepted")
	}
}

// TestProperties: what MQTT 5 says about a message reaches the subscriber.
func TestProperties(t *testing.T) {
	var s store
	b := start(t, broker.Config{}, s.tap)
	sub, c := connect(t, b, version(5)), connect(t, b, version(5))
	sub.subscribe(1, 1, "a")
	pk := publish("a", "x", 1, 1)
	pk.Properties = packets.Properties{
		ContentType: "text/plain", ResponseTopic: "b", CorrelationData: []byte{1, 2}, MessageExpiryInterval: 60,
		PayloadFormat: 1, PayloadFormatFlag: true, User: []packets.UserProperty{{Key: "k", Val: "v"}},
	}
	c.send(pk)
	got := sub.wantMessage("a", "x").Properties
	if got.ContentType != "text/plain" || got.ResponseTopic != "b" || string(got.CorrelationData) != "\x01\x02" ||
		got.MessageExpiryInterval == 0 || got.PayloadFormat != 1 || len(got.User) != 1 {
		t.Errorf("%+v", got)
	}
	c.wantAnswer(packets.Puback, 1, 0)
	send(t, b, topic.Message{Topic: "a", Payload: []byte("y")})
	if got := sub.wantMessage("a", "y").Properties; got.MessageExpiryInterval != 0 {
		t.Errorf("expires in %d s", got.MessageExpiryInterval)
	}
}

func TestNoLocal(t *testing.T) {
	b := start(t, broker.Config{})
	c := connect(t, b, version(5), session("c", true))
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: 1,
		Filters: packets.Subscriptions{{Filter: "a", NoLocal: true}}})
	c.want(packets.Suback)
	c.send(publish("a", "own", 1, 1))
	c.wantAnswer(packets.Puback, 1, 0)
	send(t, b, topic.Message{Topic: "a", Payload: []byte("other")})
	c.wantMessage("a", "other")
}

// TestPacketIdentifiers: those of the client and those of the broker are two
// different sets.
func TestPacketIdentifiers(t *testing.T) {
	b := start(t, broker.Config{})
	c := connect(t, b, version(5), session("c", false))
	c.subscribe(1, 1, "a")
	send(t, b, topic.Message{Topic: "a", Payload: []byte("x"), QoS: 1})
	id := c.want(packets.Publish).PacketID // and not acknowledged
	if got := c.subscribe(id, 1, "b"); got[0] != 1 {
		t.Errorf("SUBACK 0x%02x", got[0])
	}
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: id,
		Filters: packets.Subscriptions{{Filter: "b"}}})
	if ack := c.want(packets.Unsuback); ack.PacketID != id || ack.ReasonCodes[0] != 0 {
		t.Errorf("UNSUBACK %d %v", ack.PacketID, ack.ReasonCodes)
	}
	c.send(publish("c", "y", 2, id))
	c.wantAnswer(packets.Pubrec, id, 0)
	c.send(pubrel(id))
	c.wantAnswer(packets.Pubcomp, id, 0)
	_ = c.nc.Close()
	c = connect(t, b, version(5), session("c", false))
	if pk := c.wantMessage("a", "x"); !pk.FixedHeader.Dup {
		t.Error("resent without DUP")
	}
}
