package mqtt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/broker"
)

// cut sends a packet from a new client and expects to be cut off for it.
func (s *server) cut(packet []byte, reasons ...byte) {
	s.Helper()
	c := s.enter("")
	c.offer(packet)
	c.wantCut(reasons...)
}

func answersFollowQoS(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.publish(message{topic: "a", payload: "x"}) // and no answer
	c.publish(message{topic: "a", payload: "x", qos: 1, id: 0xffff})
	c.publish(message{topic: "a", payload: "x", qos: 2, id: 0x8001})
	c.sync()
}

func qos0HasNoIdentifier(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 2)
	s.enter("").write(join([]byte{tPUBLISH}, varint(3+len(s.form().props())+1), text("a"), s.form().props(), []byte("x")))
	if m := sub.wantMessage("a", "x"); m.qos != 0 || m.dup {
		t.Errorf("got %+v", m)
	}
}

func identifierZeroIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	s.cut(c.publishPacket(message{topic: "a", qos: 1}), 0x82)
	s.cut(c.publishPacket(message{topic: "a", qos: 2}), 0x82)
	s.cut(c.subscribePacket(0, nil, subscription("a", 0)), 0x82)
	s.cut(pack(tUNSUBSCRIBE, u16(0), c.props(), text("a")), 0x82)
}

func qos3IsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().publishPacket(message{topic: "a", qos: 3, id: 1}), 0x81, 0x82)
}

func dupOfQoS0IsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().publishPacket(message{topic: "a", dup: true}), 0x81, 0x82)
}

func dupIsNotPassedOn(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 2)
	c := s.enter("")
	for qos := byte(1); qos <= 2; qos++ {
		c.publish(message{topic: "a", payload: "x", qos: qos, dup: true})
		if m := sub.wantMessage("a", "x"); m.dup {
			t.Errorf("QoS %d came with DUP", qos)
		}
	}
}

func retainedIsReplaced(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	for qos := range byte(3) {
		c.publish(message{topic: "a", payload: fmt.Sprint(qos), qos: qos, retain: true})
		sub := s.listen("a", 2)
		if m := sub.wantMessage("a", fmt.Sprint(qos)); m.qos != qos || !m.retain {
			t.Errorf("got %+v", m)
		}
		sub.sync()
		sub.lose()
	}
	c.publish(message{topic: "a", payload: "fleeting", qos: 1})
	c.publish(message{topic: "a", payload: "last", retain: true}) // of QoS 0 replaces as well
	sub := s.listen("+", 2)
	sub.wantMessage("a", "last")
	sub.sync()
}

func unretainedLeavesRetained(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.publish(message{topic: "a", payload: "kept", qos: 1, retain: true})
	c.publish(message{topic: "a", payload: "x", qos: 1})
	c.publish(message{topic: "a", qos: 1})
	c.publish(message{topic: "b", payload: "x", qos: 1})
	sub := s.listen("#", 1)
	sub.wantMessage("a", "kept")
	sub.sync()
}

func emptyRetainedRemoves(t *testing.T, v byte) {
	s := plain(t, v)
	c, present := s.enter(""), s.listen("a", 1)
	c.publish(message{topic: "a", payload: "x", qos: 1, retain: true})
	present.wantMessage("a", "x")
	c.publish(message{topic: "a", qos: 1, retain: true})
	if m := present.wantMessage("a", ""); m.retain {
		t.Error("the retain flag is set for an established subscription")
	}
	s.listen("a", 1).sync()
	s.listen("#", 1).sync()
}

func establishedSubscriptionHasNoRetainFlag(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 1)
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1, retain: true})
	if m := sub.wantMessage("a", "x"); m.retain {
		t.Error("the retain flag is set")
	}
}

func topicNamesHaveNoWildcards(t *testing.T, v byte) {
	s := plain(t, v)
	for _, topic := range []string{"#", "+", "a/+", "a#", "a/+/b"} {
		s.cut(s.form().publishPacket(message{topic: topic, payload: "x"}), 0x81, 0x82, 0x90)
	}
}

func topicIsCutShort(t *testing.T, v byte) {
	s := plain(t, v)
	for _, body := range [][]byte{nil, {0}, {0, 5, 'a'}} {
		s.cut(pack(tPUBLISH, body), 0x81, 0x82)
	}
}

// tooLong: a length has 16 bits, so that no more than 65,535 bytes can be said.
func longTopicsAreWhole(t *testing.T, v byte) {
	s := plain(t, v)
	long := strings.Repeat("x", 65535)
	sub := s.listen(long, 0)
	s.enter("").publish(message{topic: long, payload: "x"})
	sub.wantMessage(long, "x")
}

func emptyTopicIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().publishPacket(message{payload: "x"}), 0x81, 0x82, 0x90)
	want := byte(0x80)
	if v >= 5 {
		want = 0x8f
	}
	if got := s.enter("").subscribe(subscription("", 0)); got[0] != want {
		t.Errorf("SUBACK % x", got)
	}
}

// ill are bytes that are no string of MQTT.
var ill = map[string]string{
	"ill-formed": "a\xff", "cut short": "a\xe2\x82", "overlong": "a\xc0\xaf", "surrogate": "a\xed\xa0\x80", "null": "a\x00b",
}

func illFormedTextIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	for _, bad := range ill {
		s.refuse(0, 0x81, c.connectPacket(session{id: bad, flags: clean}))
		s.refuse(0, 0x81, c.connectPacket(session{flags: clean | withWill, payload: c.willPayload(bad, "x")}))
		s.refuse(0, 0x81, c.connectPacket(session{flags: clean | user, payload: text(bad)}))
		s.cut(c.publishPacket(message{topic: bad}), 0x81)
		s.cut(c.subscribePacket(1, nil, subscription(bad, 0)), 0x81)
		s.cut(pack(tUNSUBSCRIBE, u16(1), c.props(), text(bad)), 0x81)
	}
}

func byteOrderMarkIsKept(t *testing.T, v byte) {
	s := plain(t, v)
	const mark = "\xef\xbb\xbf"
	marked, bare := s.listen(mark+"a", 0), s.listen("a", 0)
	s.enter("").publish(message{topic: mark + "a", payload: "x"})
	marked.wantMessage(mark+"a", "x")
	bare.sync()
}

// topicsAreNotNormalized: é in its two forms, upper and lower case, slashes.
func topicsAreNotNormalized(t *testing.T, v byte) {
	s := plain(t, v)
	names := []string{"caf\u00e9", "cafe\u0301", "Caf\u00e9", "/caf\u00e9", "caf\u00e9/", "caf\u00e9//", "\ufffd", "\u2126", "\u03a9"}
	subs := map[string]*client{}
	for _, name := range names {
		subs[name] = s.listen(name, 0)
	}
	pub := s.enter("")
	for _, name := range names {
		pub.publish(message{topic: name, payload: "x"})
		subs[name].wantMessage(name, "x")
	}
	for _, sub := range subs {
		sub.sync()
	}
}

func unauthorizedIsNotRouted(t *testing.T, v byte) {
	s := guarded(t, v)
	sub, c := s.open(), s.open()
	sub.connect(session{flags: clean | user | password, payload: join(text("berta"), text("geheim"))})
	sub.subscribe(subscription("#", 0))
	c.connect(session{flags: clean | user | password, payload: join(text("anna"), text("geheim"))})
	c.write(c.publishPacket(message{topic: "berta/a", payload: "x", qos: 1, id: 3}))
	if v >= 5 {
		c.wantAck(tPUBACK, 3, 0x87)
		c.write(c.publishPacket(message{topic: "berta/a", payload: "x", qos: 2, id: 4}))
		c.wantAck(tPUBREC, 4, 0x87)
	} else {
		c.wantEnd()
	}
	sub.sync()
}

// quotaIsAnswered: what the server cannot keep it does not acknowledge as taken.
func quotaIsAnswered(t *testing.T, v byte) {
	s := serve(t, v, broker.Config{Limits: broker.Limits{Retained: 1}})
	c := s.enter("")
	c.publish(message{topic: "a", payload: "x", qos: 1, retain: true})
	c.write(c.publishPacket(message{topic: "b", payload: "x", qos: 1, retain: true, id: 3}))
	if v >= 5 {
		c.wantAck(tPUBACK, 3, 0x97)
		c.write(c.publishPacket(message{topic: "b", payload: "x", qos: 2, retain: true, id: 4}))
		c.wantAck(tPUBREC, 4, 0x97)
		c.publish(message{topic: "c", payload: "x", qos: 2, id: 4}) // which is another message
		return
	}
	c.wantEnd()
}

func repeatedQoS2IsOneMessage(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 2)
	c, _ := s.resume("c")
	for range 3 {
		c.write(c.publishPacket(message{topic: "a", payload: "x", qos: 2, id: 5, dup: true}))
		c.wantAck(tPUBREC, 5, 0)
	}
	c.lose()
	c, _ = s.resume("c")
	c.write(c.publishPacket(message{topic: "a", payload: "x", qos: 2, id: 5, dup: true}))
	c.wantAck(tPUBREC, 5, 0)
	c.write(ack(tPUBREL, 5))
	c.wantAck(tPUBCOMP, 5, 0)
	sub.wantMessage("a", "x")
	sub.sync()
	c.publish(message{topic: "a", payload: "y", qos: 2, id: 5}) // is released, so new
	sub.wantMessage("a", "y")
}

func repeatedQoS1IsAnother(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 1)
	c := s.enter("")
	for range 2 {
		c.publish(message{topic: "a", payload: "x", qos: 1, id: 5, dup: true})
		sub.wantMessage("a", "x")
	}
}

func unknownIdentifiersAreAnswered(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	reason := byte(0)
	if v >= 5 {
		reason = 0x92
	}
	c.write(ack(tPUBREL, 77))
	c.wantAck(tPUBCOMP, 77, reason)
	c.write(ack(tPUBREC, 78))
	c.wantAck(tPUBREL, 78, reason)
	c.write(ack(tPUBACK, 79), ack(tPUBCOMP, 80))
	c.sync()
}

// qos2IsFinished: PUBREL follows PUBREC, is what is sent again, and PUBCOMP ends it.
func qos2IsFinished(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	s.enter("").publish(message{topic: "a", payload: "x", qos: 2})
	m := c.read()
	c.lose()
	for range 2 {
		c, _ = s.resume("c")
		if again := c.read(); again.id != m.id || !again.dup {
			t.Errorf("came again as %+v", again)
		}
		c.lose()
	}
	c, _ = s.resume("c")
	c.read()
	c.write(ack(tPUBREC, m.id))
	c.wantAck(tPUBREL, m.id, 0)
	for range 2 {
		c.lose()
		c, _ = s.resume("c")
		c.wantAck(tPUBREL, m.id, 0)
	}
	c.write(ack(tPUBCOMP, m.id))
	c.sync()
	c.lose()
	c, _ = s.resume("c")
	c.sync()
}

func expiredIsDropped(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 1))
	c.leave()
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "brief", qos: 1}, prop32(pExpiry, 1))
	pub.publish(message{topic: "a", payload: "lasting", qos: 1}, prop32(pExpiry, 3000))
	pub.publish(message{topic: "r", payload: "brief", qos: 1, retain: true}, prop32(pExpiry, 1))
	pub.still(1500 * time.Millisecond)
	c, _ = s.resume("c")
	c.wantMessage("a", "lasting")
	c.subscribe(subscription("r", 1))
	c.sync()
}

// expiryCountsDown, and what was sent once does not expire any more.
func expiryCountsDown(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	c.leave()
	pub := s.enter("")
	t0 := time.Now()
	pub.publish(message{topic: "a", payload: "x", qos: 2}, prop32(pExpiry, 3000))
	pub.still(2 * time.Second)
	c, _ = s.resume("c")
	m := c.read()
	waited := int(time.Since(t0) / time.Second)
	for left := 3000 - waited - 1; left <= 2999; left++ {
		if m.has(prop32(pExpiry, uint32(left))) {
			return
		}
	}
	t.Errorf("after %d s the properties are % x", waited, m.props)
}

func sentDoesNotExpire(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("a", 2))
	s.enter("").publish(message{topic: "a", payload: "x", qos: 2}, prop32(pExpiry, 2))
	first := c.next
	if _, err := first(); err != nil {
		t.Fatal(err)
	}
	c.still(2500 * time.Millisecond)
	c.lose()
	c, _ = s.resume("c")
	if m := c.wantMessage("a", "x"); !m.dup {
		t.Error("is not marked as sent again")
	}
}

// expiredIsSeenThrough: PUBREL is answered for a message that has expired since.
func expiredIsSeenThrough(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.write(c.publishPacket(message{topic: "a", payload: "x", qos: 2, id: 3}, prop32(pExpiry, 1)))
	c.wantAck(tPUBREC, 3, 0)
	c.still(1500 * time.Millisecond)
	c.write(ack(tPUBREL, 3))
	c.wantAck(tPUBCOMP, 3, 0)
}
