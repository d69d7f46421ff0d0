package mqtt_test

import (
	"bytes"
	"fmt"
	"testing"
)

func subscribeIsAnswered(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.write(c.subscribePacket(0x1234, nil, subscription("a", 0)))
	c.codes(tSUBACK, 0x1234)
	for range 3 { // the same identifier may come again
		c.subscribe(subscription("a", 0))
	}
}

// codesAreInOrder: each filter has a code in its place: the QoS, which is never
// less than asked, or a refusal.
func codesAreInOrder(t *testing.T, v byte) {
	s := plain(t, v)
	refused := byte(0x80)
	if v >= 5 {
		refused = 0x8f
	}
	c := s.enter("")
	got := c.subscribe(subscription("a", 2), subscription("b/#/c", 1), subscription("c", 0), subscription("d+", 0), subscription("e", 1))
	if want := []byte{2, refused, 0, refused, 1}; !bytes.Equal(got, want) {
		t.Errorf("SUBACK % x, want % x", got, want)
	}
	pub := s.enter("")
	for i, qos := range []int{2, -1, 0, -1, 1} {
		if qos < 0 {
			continue
		}
		topic := string(rune('a' + i))
		pub.publish(message{topic: topic, payload: "x", qos: 2})
		if m := c.wantMessage(topic, "x"); int(m.qos) != qos {
			t.Errorf("%s came with QoS %d", topic, m.qos)
		}
	}
}

func qosIsTheLesser(t *testing.T, v byte) {
	s := plain(t, v)
	pub := s.enter("")
	for granted := range byte(3) {
		sub := s.listen(fmt.Sprint(granted), granted)
		for qos := range byte(3) {
			pub.publish(message{topic: fmt.Sprint(granted), payload: "x", qos: qos})
			if m := sub.wantMessage(fmt.Sprint(granted), "x"); m.qos != min(qos, granted) {
				t.Errorf("published with %d, granted %d, came with %d", qos, granted, m.qos)
			}
		}
	}
}

func subscriptionIsReplaced(t *testing.T, v byte) {
	s := plain(t, v)
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "kept", qos: 1, retain: true})
	sub := s.listen("a", 2)
	sub.wantMessage("a", "kept")
	sub.subscribe(subscription("a", 0))
	if m := sub.wantMessage("a", "kept"); m.qos != 0 { // again
		t.Errorf("came with QoS %d", m.qos)
	}
	pub.publish(message{topic: "a", payload: "x", qos: 1})
	if m := sub.wantMessage("a", "x"); m.qos != 0 {
		t.Errorf("came with QoS %d", m.qos)
	}
	sub.sync() // one subscription, one message
}

// nothingIsLostOnReplacement subscribes again and again in a stream of messages.
func nothingIsLostOnReplacement(t *testing.T, v byte) {
	s := plain(t, v)
	sub, pub := s.listen("a", 1), s.enter("")
	const n = 200
	for i := range n {
		pub.offer(pub.publishPacket(message{topic: "a", payload: fmt.Sprint(i), qos: 1, id: uint16(i + 1)}))
		sub.offer(sub.subscribePacket(uint16(i+1), nil, subscription("a", 1)))
	}
	for i, acks := 0, 0; i < n || acks < n; {
		p, err := sub.next()
		switch {
		case err != nil:
			t.Fatal(err)
		case p.kind() == tSUBACK:
			acks++
		default:
			body := p.body[len(p.body)-len(fmt.Sprint(i)):]
			if string(body) != fmt.Sprint(i) {
				t.Fatalf("message %d is missing, got %q", i, p.body)
			}
			i++
		}
	}
}

func subscribeNeedsFilter(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().subscribePacket(1, nil), 0x81, 0x82)
	s.cut(pack(tUNSUBSCRIBE, u16(1), s.form().props()), 0x81, 0x82)
}

func reservedSubscriptionBitsAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	bad := []byte{0x40, 0x80, 3, 0xff}
	if v < 5 {
		bad = append(bad, 4, 8, 0x10, 0x20)
	} else {
		bad = append(bad, 0x30)
	}
	for _, o := range bad {
		s.cut(c.subscribePacket(1, nil, subscription("a", o)), 0x81, 0x82)
	}
	s.cut(c.subscribePacket(1, nil, text("a")), 0x81) // without QoS
}

func wildcardsMatch(t *testing.T, v byte) {
	s := plain(t, v)
	for _, tt := range []struct {
		filter      string
		hits, fails []string
	}{
		{"a/#", []string{"a", "a/b", "a/b/c", "a/"}, []string{"b", "ab", "/a", "A/b"}},
		{"#", []string{"a", "a/b", "/a", "/"}, []string{"$a", "$a/b"}},
		{"+", []string{"a"}, []string{"a/b", "/a", "$a"}},
		{"/+", []string{"/a", "/"}, []string{"a", "/a/b"}},
		{"+/+", []string{"/a", "a/b", "/"}, []string{"a", "a/b/c", "$a/b"}},
		{"a/+/c", []string{"a/b/c", "a//c"}, []string{"a/c", "a/b/d"}},
		{"a/+/#", []string{"a/b", "a/b/c"}, []string{"a"}},
	} {
		sub, pub := s.listen(tt.filter, 0), s.enter("")
		for _, topic := range tt.fails {
			pub.publish(message{topic: topic, payload: "x"})
		}
		for _, topic := range tt.hits {
			pub.publish(message{topic: topic, payload: "x"})
			sub.wantMessage(topic, "x")
		}
		sub.sync()
		pub.publish(message{topic: tt.hits[0], payload: "kept", retain: true})
		sub.wantMessage(tt.hits[0], "kept")
		s.listen(tt.filter, 0).wantMessage(tt.hits[0], "kept")
		pub.publish(message{topic: tt.hits[0], retain: true})
	}
}

func wildcardsStandAlone(t *testing.T, v byte) {
	s := plain(t, v)
	for _, filter := range []string{"a#", "a/#/b", "#/a", "a/b#", "a+", "a/+b", "+a/b", "++", "a/##"} {
		if got := s.enter("").subscribe(subscription(filter, 0)); got[0] < 0x80 {
			t.Errorf("%s: SUBACK % x", filter, got)
		}
	}
}

func dollarIsNotMatched(t *testing.T, v byte) {
	s := plain(t, v)
	subs := []*client{s.listen("#", 0), s.listen("+/a", 0), s.listen("+/#", 0)}
	exact := s.listen("$own/a", 0)
	s.enter("").publish(message{topic: "$own/a", payload: "x", retain: true})
	exact.wantMessage("$own/a", "x")
	for _, sub := range append(subs, s.listen("#", 0), s.listen("+/+", 0)) {
		sub.sync()
	}
}

func overlapIsOneMessage(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.enter("")
	sub.subscribe(subscription("a/#", 0), subscription("a/+", 2), subscription("a/b", 1), subscription("#", 1))
	s.enter("").publish(message{topic: "a/b", payload: "x", qos: 2})
	if m := sub.wantMessage("a/b", "x"); m.qos != 2 {
		t.Errorf("came with QoS %d", m.qos)
	}
	sub.sync()
}

func unsubscribeIsAnswered(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.subscribe(subscription("a", 0), subscription("b", 0))
	got := c.unsubscribe("a", "none", "b")
	if v >= 5 && !bytes.Equal(got, []byte{0, 0x11, 0}) || v < 5 && len(got) != 0 {
		t.Errorf("UNSUBACK % x", got)
	}
	c.unsubscribe("a")
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1})
	c.sync()
}

func unsubscribeIsExact(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.enter("")
	sub.subscribe(subscription("a/+", 0))
	sub.unsubscribe("a/b", "a/#", "A/+", "a/+/", "#", "+/+")
	pub := s.enter("")
	pub.publish(message{topic: "a/b", payload: "x"})
	sub.wantMessage("a/b", "x")
	sub.unsubscribe("a/+")
	pub.publish(message{topic: "a/b", payload: "x"})
	sub.sync()
}

// startedIsFinished: after UNSUBSCRIBE a message that was sent already is still
// seen through, and sent again to a client that comes back.
func startedIsFinished(t *testing.T, v byte) {
	s := plain(t, v)
	sub, _ := s.resume("c")
	sub.subscribe(subscription("a", 2))
	s.enter("").publish(message{topic: "a", payload: "x", qos: 2})
	m := sub.read()
	sub.unsubscribe("a")
	sub.lose()
	sub, _ = s.resume("c")
	if again := sub.wantMessage("a", "x"); again.id != m.id || !again.dup {
		t.Errorf("came again as %+v", again)
	}
	sub.sync()
}

func pingIsAnswered(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	for range 3 {
		c.sync()
	}
	s.cut(pack(tPINGREQ, raw(0)), 0x81)
}

func reservedFlagsAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	for _, p := range [][]byte{
		ack(tPUBACK, 1), ack(tPUBREC, 1), ack(tPUBREL, 1), ack(tPUBCOMP, 1),
		c.subscribePacket(1, nil, subscription("a", 0)), pack(tUNSUBSCRIBE, u16(1), c.props(), text("a")),
		pingreq(), pack(tDISCONNECT), pack(tAUTH),
	} {
		for flags := range byte(16) {
			if flags != p[0]&0xf {
				s.cut(join(raw(p[0]&0xf0|flags), p[1:]), 0x81)
			}
		}
	}
	connect := c.connectPacket(session{flags: clean})
	for flags := byte(1); flags < 16; flags++ {
		s.refuse(0, 0, raw(tCONNECT|flags), connect[1:])
	}
}

// packetsOfServersAreRefused: no client sends them.
func packetsOfServersAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	for _, p := range [][]byte{pack(0), pack(tCONNACK, raw(0, 0)), pack(tSUBACK, u16(1), raw(0)), pack(tUNSUBACK, u16(1)), pack(tPINGRESP)} {
		s.cut(p, 0x81, 0x82)
	}
}

// leftOversAreRefused: a packet that is longer than what it says, or shorter.
func leftOversAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	longer := [][]byte{
		pack(tPUBACK, u16(1), raw(0), c.props(), raw(0)), pack(tPUBREL, u16(1), raw(0), c.props(), raw(0)),
		pack(tSUBSCRIBE, u16(1), c.props(), subscription("a", 0), raw(0)), pack(tUNSUBSCRIBE, u16(1), c.props(), text("a"), raw(9)),
		pack(tDISCONNECT, raw(0), c.props(), raw(0)),
	}
	shorter := [][]byte{pack(tPUBACK, raw(0)), pack(tPUBREL), pack(tSUBSCRIBE, raw(0)), pack(tUNSUBSCRIBE, u16(1), c.props(), raw(0, 5, 'a'))}
	for _, p := range append(longer, shorter...) {
		s.cut(p, 0x81, 0x82)
	}
	s.cut(raw(tPUBLISH, 0xff, 0xff, 0xff, 0xff, 0x01), 0x81)
}
