package mqtt_test

import (
	"fmt"
	"testing"
	"time"
)

func sessionIsResumed(t *testing.T, v byte) {
	s := plain(t, v)
	c, present := s.resume("c")
	if present {
		t.Error("a session out of nothing")
	}
	c.subscribe(subscription("a", 1))
	c.lose()
	c, present = s.resume("c")
	if !present {
		t.Error("the session was lost")
	}
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1})
	c.wantMessage("a", "x")
}

func messagesWaitForClient(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	c.leave()
	pub := s.enter("")
	for i := range 100 {
		pub.publish(message{topic: "a", payload: fmt.Sprint(i), qos: byte(1 + i%2)})
	}
	c, _ = s.resume("c")
	for i := range 100 {
		if m := c.wantMessage("a", fmt.Sprint(i)); m.dup || m.qos != byte(1+i%2) {
			t.Errorf("message %d came with QoS %d, DUP %v", i, m.qos, m.dup)
		}
	}
	c.sync()
}

func cleanSessionIsFresh(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 1))
	c.lose()
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "x", qos: 1})
	c = s.open()
	if p := c.connect(session{id: "c", flags: clean}); p.body[0] != 0 {
		t.Errorf("CONNACK % x", p.body)
	}
	pub.publish(message{topic: "a", payload: "y", qos: 1})
	c.sync()
	c.lose()
	if c, present := s.resume("c"); present { // of a clean session nothing is left, either
		t.Error("a clean session was kept")
	} else {
		c.sync()
	}
}

func retainedOutlivesSession(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("c")
	c.publish(message{topic: "a", payload: "x", qos: 1, retain: true})
	c.leave()
	s.enter("c").lose()
	s.listen("a", 0).wantMessage("a", "x")
}

// sessionEndsInTime: how long after its time a session ends is the server's
// affair, so that the test asks again, ever later.
func sessionEndsInTime(t *testing.T, v byte) {
	s := plain(t, v)
	brief := session{id: "c", props: [][]byte{prop32(pSessionExpiry, 1)}}
	s.open().connect(brief)
	for pause := 2 * time.Second; pause < patience; pause *= 2 {
		c := s.open()
		present := c.connect(brief).body[0] == 1
		c.lose()
		if pause > 2*time.Second && !present {
			return
		}
		idle := s.enter("")
		idle.still(pause)
		idle.lose()
	}
	t.Error("the session does not end")
}

func sessionLastsWhileConnected(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	brief := session{id: "c"}
	if v >= 5 {
		brief.props = [][]byte{prop32(pSessionExpiry, 1)}
	}
	c.connect(brief)
	c.subscribe(subscription("a", 1))
	if !c.still(3 * time.Second) {
		t.Error("cut")
	}
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1})
	c.wantMessage("a", "x")
	c.lose()
	if _, present := s.resume("c"); !present {
		t.Error("the session was lost")
	}
}

func refusedConnackHasNoSession(t *testing.T, v byte) {
	s := guarded(t, v)
	c := s.open()
	hers := c.kept("c")
	hers.flags, hers.payload = user|password, join(text("anna"), text("geheim"))
	c.connect(hers)
	c.lose()
	s.refuse(0x04, 0x86, c.connectPacket(session{id: "c", flags: user | password, payload: join(text("anna"), text("x"))}))
}

func unansweredIsSentAgain(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	pub := s.enter("")
	for i := range 6 {
		pub.publish(message{topic: "a", payload: fmt.Sprint(i), qos: byte(1 + i%2)})
	}
	var ids []uint16
	for i := range 6 {
		m := c.read()
		if m.dup || m.payload != fmt.Sprint(i) {
			t.Errorf("message %d is %q, DUP %v", i, m.payload, m.dup)
		}
		ids = append(ids, m.id)
	}
	c.write(ack(tPUBREC, ids[1])) // 1 is of QoS 2
	c.wantAck(tPUBREL, ids[1], 0)
	c.sync() // nothing is sent again while the connection lasts
	c.lose()
	c, _ = s.resume("c")
	for i, id := range ids {
		if i == 1 {
			c.wantAck(tPUBREL, id, 0)
			continue
		}
		m := c.read()
		if m.id != id || !m.dup || m.payload != fmt.Sprint(i) {
			t.Errorf("message %d came again as %d %q, DUP %v", i, m.id, m.payload, m.dup)
		}
	}
	c.sync()
}

func identifiersAreUnused(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 2)
	pub := s.enter("")
	seen := map[uint16]bool{}
	for i := range 200 {
		pub.publish(message{topic: "a", payload: "x", qos: byte(1 + i%2)})
		m := sub.read() // and leaves it
		if m.id == 0 || seen[m.id] || m.dup {
			t.Fatalf("message %d has identifier %d, DUP %v", i, m.id, m.dup)
		}
		seen[m.id] = true
	}
	sub.sync()
}

// refusedIsSettled: a client that refuses a message has seen the last of it.
func refusedIsSettled(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "x", qos: 1})
	pub.publish(message{topic: "a", payload: "y", qos: 2})
	c.write(pack(tPUBACK, u16(c.read().id), raw(0x97)))
	c.write(pack(tPUBREC, u16(c.read().id), raw(0x83)))
	c.sync() // no PUBREL
	c.lose()
	c, _ = s.resume("c")
	c.sync()
}

func orderIsKept(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 2)
	pub := s.enter("")
	const n = 300
	for i := range n {
		pub.offer(pub.publishPacket(message{topic: "a", payload: fmt.Sprint(i), qos: byte(1 + i%2), id: uint16(i + 1)}))
	}
	for i := range n {
		pub.wantAck([]byte{tPUBACK, tPUBREC}[i%2], uint16(i+1), 0)
	}
	for i := range n {
		sub.wantMessage("a", fmt.Sprint(i))
	}
}
