package mqtt_test

import (
	"strings"
	"testing"
	"time"

	"sluice/broker"
)

// refuse expects a CONNECT to be refused: with MQTT 5 by a reason, before that by
// a code, or by the end of the connection alone if that is 0.
func (s *server) refuse(v4, v5 byte, connect ...[]byte) {
	s.Helper()
	c := s.open()
	c.offer(connect...)
	code := v4
	if s.v >= 5 {
		code = v5
	}
	if code != 0 {
		if p := c.want(tCONNACK); p.body[0] != 0 || p.body[1] != code || s.v < 5 && len(p.body) != 2 {
			s.Fatalf("CONNACK % x, want 0x%02x", p.body, code)
		}
	}
	c.wantEnd()
}

func connectComesFirst(t *testing.T, v byte) {
	s := plain(t, v)
	for _, first := range [][]byte{pingreq(), ack(tPUBACK, 1), pack(tPUBLISH, text("a")), pack(tDISCONNECT), {0xff, 0}, {0, 0}} {
		c := s.open()
		c.offer(first)
		c.wantEnd()
	}
}

func connectComesOnce(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 0)
	c := s.open()
	will := session{flags: clean | withWill, payload: c.willPayload("gone", "x")}
	c.connect(will)
	c.write(c.connectPacket(will))
	c.wantCut(0x82)
	sub.wantMessage("gone", "x")
}

func otherProtocolIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	rest := join(raw(v, clean), u16(0), s.form().props(), text(""))
	for _, name := range []string{"MQTX", "mqtt", "HTTP", "MQTTT", ""} {
		s.refuse(0, 0, pack(tCONNECT, text(name), rest))
	}
}

func otherVersionIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	other := byte(2)
	if v >= 5 {
		other = 6
	}
	s.refuse(0x01, 0x84, pack(tCONNECT, text("MQTT"), raw(other, clean), u16(0), s.form().props(), text("")))
}

func reservedConnectFlagIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.refuse(0, 0x81, s.form().connectPacket(session{flags: clean | 1}))
}

func connectIsChecked(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	whole := c.connectPacket(session{id: "c", flags: clean | withWill | user | password, payload: join(c.willPayload("t", "p"), text("u"), text("w"))})
	for cut := 3; cut < len(whole); cut++ { // with the lengths put right, each field is cut once
		body := whole[2:cut]
		switch {
		case cut < 9:
			s.refuse(0, 0, pack(tCONNECT, body))
		default:
			s.refuse(0, 0x81, pack(tCONNECT, body))
		}
	}
	s.refuse(0, 0x81, pack(tCONNECT, whole[2:], raw(0)))
}

func willFlagsNeedWill(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	for _, flags := range []byte{1 << 3, 2 << 3, willRetain} {
		s.refuse(0, 0x81, c.connectPacket(session{flags: clean | flags}))
	}
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean, payload: c.willPayload("t", "p")}))
}

func willFieldsAreThere(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | withWill}))
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | withWill, payload: join(c.props(), text("t"))}))
}

func willQoSIsAtMost2(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | withWill | 3<<3, payload: c.willPayload("t", "p")}))
	sub := s.listen("t", 2)
	for qos := range byte(3) {
		c := s.open()
		c.connect(session{flags: clean | withWill | qos<<3, payload: c.willPayload("t", "p")})
		c.lose()
		if m := sub.wantMessage("t", "p"); m.qos != qos {
			t.Errorf("the will of QoS %d came with %d", qos, m.qos)
		}
	}
}

func userNameMatchesFlag(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean, payload: text("anna")}))
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | user}))
	c.connect(session{flags: clean | user, payload: text("anna")})
}

func passwordMatchesFlag(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | user, payload: join(text("anna"), text("x"))}))
	s.refuse(0, 0x81, c.connectPacket(session{flags: clean | user | password, payload: text("anna")}))
	c.connect(session{flags: clean | user | password, payload: join(text("anna"), text(""))})
}

// passwordNeedsUserName: MQTT 5 allows a password alone.
func passwordNeedsUserName(t *testing.T, v byte) {
	s := plain(t, v)
	s.refuse(0, 0, s.form().connectPacket(session{flags: clean | password, payload: text("x")}))
}

func payloadIsInOrder(t *testing.T, v byte) {
	s := guarded(t, v)
	c := s.open()
	c.connect(session{id: "c", flags: clean | withWill | user | password, payload: join(c.willPayload("anna/state", "gone"), text("anna"), text("geheim"))})
	c.lose()
	sub := s.open()
	sub.connect(session{flags: clean | user | password, payload: join(text("berta"), text("geheim"))})
	sub.subscribe(subscription("anna/#", 0))
	again := s.open()
	again.connect(session{id: "c", flags: clean | withWill | user | password, payload: join(again.willPayload("anna/state", "gone"), text("anna"), text("geheim"))})
	again.lose()
	sub.wantMessage("anna/state", "gone")
}

func ordinaryClientIDsAreAllowed(t *testing.T, v byte) {
	s := plain(t, v)
	const all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range all {
		s.enter(all[i : i+1]).lose()
		s.enter((all + all)[i : i+23]).lose()
	}
}

func emptyClientIDIsReplaced(t *testing.T, v byte) {
	s := plain(t, v)
	first, second := s.open(), s.open()
	a, b := first.connect(session{flags: clean}), second.connect(session{flags: clean})
	first.sync() // is not taken over by the second
	if v >= 5 {
		x, y := assigned(t, a), assigned(t, b)
		if x == "" || x == y {
			t.Errorf("assigned %q and %q", x, y)
		}
		second.leave()
		taker := s.open()
		taker.connect(session{id: x, flags: clean})
		first.wantCut(0x8e)
	}
}

// assigned returns the client identifier that CONNACK assigns.
func assigned(t *testing.T, connack packet) string {
	t.Helper()
	i := strings.IndexByte(string(connack.body[2:]), pAssignedID)
	if i < 0 {
		t.Fatalf("no identifier in CONNACK % x", connack.body)
	}
	rest := connack.body[2+i+1:]
	return string(rest[2 : 2+int(rest[0])<<8+int(rest[1])])
}

func emptyClientIDIsNotKept(t *testing.T, v byte) {
	s := plain(t, v)
	s.refuse(0x02, 0, s.form().connectPacket(session{}))
}

func clientIDOfOthersIsRefused(t *testing.T, v byte) {
	s := guarded(t, v)
	c := s.open()
	hers := c.kept("c")
	hers.flags, hers.payload = user|password, join(text("anna"), text("geheim"))
	c.connect(hers)
	s.refuse(0x02, 0x85, c.connectPacket(session{id: "c", flags: user | password, payload: join(text("berta"), text("geheim"))}))
}

func clientIDNamesSession(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("one")
	c.subscribe(subscription("a", 1))
	c.lose()
	other, present := s.resume("two")
	if present {
		t.Error("a session of another client was resumed")
	}
	other.sync()
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "x", qos: 1})
	other.sync()
	again, present := s.resume("one")
	if !present {
		t.Error("the session was lost")
	}
	again.wantMessage("a", "x")
}

func existingClientIsCut(t *testing.T, v byte) {
	s := plain(t, v)
	for _, flags := range []byte{0, clean} {
		c, _ := s.resume("c")
		next := s.open()
		next.connect(session{id: "c", flags: flags})
		c.wantCut(0x8e)
		next.sync()
		next.lose()
	}
}

func connackComesFirstAndOnce(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 1))
	c.lose()
	pub := s.enter("")
	for range 3 {
		pub.publish(message{topic: "a", payload: "x", qos: 1})
	}
	again, _ := s.resume("c") // which wants CONNACK first
	for range 3 {
		again.wantMessage("a", "x")
	}
	again.sync()
}

func refusedClientIsNotHeard(t *testing.T, v byte) {
	s := guarded(t, v)
	sub := s.open()
	sub.connect(session{flags: clean | user | password, payload: join(text("berta"), text("geheim"))})
	sub.subscribe(subscription("#", 0))
	c := s.open()
	s.refuse(0x04, 0x86,
		c.connectPacket(session{flags: clean | user | password, payload: join(text("anna"), text("falsch"))}),
		c.publishPacket(message{topic: "anna/a", payload: "x"}))
	sub.sync()
}

func strangersAreRefused(t *testing.T, v byte) {
	s := guarded(t, v)
	c := s.open()
	s.refuse(0x05, 0x87, c.connectPacket(session{flags: clean}))
	s.refuse(0x04, 0x86, c.connectPacket(session{flags: clean | user | password, payload: join(text("anna"), text("falsch"))}))
	s.refuse(0x05, 0x87, c.connectPacket(session{flags: clean | withWill | user | password,
		payload: join(c.willPayload("berta/a", "x"), text("anna"), text("geheim"))}))
}

func silentClientIsCut(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 0)
	c, t0 := s.open(), time.Now()
	c.connect(session{flags: clean | withWill, keepAlive: 1, payload: c.willPayload("gone", "x")})
	sub.wantMessage("gone", "x")
	if waited := time.Since(t0); waited < 1500*time.Millisecond {
		t.Errorf("cut off after %v", waited)
	}
	c.wantCut(0x8d)
}

func keepAliveIsAsAsked(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	if p := c.connect(session{flags: clean, keepAlive: 1}); strings.Contains(string(p.body[2:]), "\x13\x00") {
		t.Error("the server sets a keep alive of its own")
	}
	c.wantCut(0x8d)
	patient := s.open()
	patient.connect(session{flags: clean}) // no keep alive at all
	if !patient.still(3 * time.Second) {
		t.Error("a client without keep alive was cut")
	}
	patient.sync()
}

func fullServerIsUnavailable(t *testing.T, v byte) {
	s := serve(t, v, broker.Config{Limits: broker.Limits{Clients: 1}})
	s.enter("one")
	s.refuse(0x03, 0x89, s.form().connectPacket(session{flags: clean}))
}
