package mqtt_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sluice/broker"
)

// Proofs of what only MQTT 5 has.

func propertiesArePassedOn(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 1)
	users := join(propUser("b", "1"), propUser("a", "2"), propUser("b", "3"), propUser("", ""))
	list := [][]byte{prop8(pFormat, 1), propText(pContentType, "text/plain"), propText(pResponseTopic, "r/s"), propText(pCorrelation, "\x00\xff"), users}
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1, retain: true}, list...)
	late := s.listen("a", 1)
	for _, m := range []message{sub.wantMessage("a", "x"), late.wantMessage("a", "x")} {
		for _, p := range list {
			if !m.has(p) {
				t.Errorf("properties % x, without % x", m.props, p)
			}
		}
		if want := len(join(list...)); len(m.props) != want {
			t.Errorf("%d bytes of properties, want %d: % x", len(m.props), want, m.props)
		}
	}
	s.enter("").publish(message{topic: "a", payload: "y", qos: 1})
	if m := sub.wantMessage("a", "y"); len(m.props) != 0 {
		t.Errorf("properties % x out of nothing", m.props)
	}
}

func illFormedPropertiesAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	for _, bad := range ill {
		for _, p := range [][]byte{propText(pContentType, bad), propText(pResponseTopic, bad), propUser(bad, "x"), propUser("x", bad)} {
			s.cut(c.publishPacket(message{topic: "a"}, p), 0x81)
		}
		s.refuse(0, 0x81, c.connectPacket(session{flags: clean, props: [][]byte{propUser(bad, "x")}}))
		s.refuse(0, 0x81, c.connectPacket(session{flags: clean | withWill, payload: c.willPayload("t", "p", propText(pContentType, bad))}))
	}
}

func wrongPropertiesAreRefused(t *testing.T, v byte) {
	s := plain(t, v)
	for _, p := range [][]byte{
		prop8(pFormat, 0), prop8(pFormat, 2), prop16(pReceiveMaximum, 0), prop32(pMaximumPacket, 0), prop8(pProblems, 2), prop8(pResponses, 2),
		propText(pData, "x"), prop16(pAlias, 1), propText(pReason, "x"), raw(0), raw(127, 0), raw(0x80, 1), raw(pSessionExpiry, 0),
		join(prop32(pSessionExpiry, 1), prop32(pSessionExpiry, 1)), join(prop16(pReceiveMaximum, 1), prop16(pReceiveMaximum, 1)),
	} {
		c := s.open()
		c.offer(c.connectPacket(session{flags: clean, props: [][]byte{p}}))
		if p := c.want(tCONNACK); p.body[1] != 0x81 && p.body[1] != 0x82 {
			t.Errorf("CONNACK % x", p.body)
		}
		c.wantEnd()
	}
}

func responseTopicHasNoWildcards(t *testing.T, v byte) {
	s := plain(t, v)
	for _, topic := range []string{"#", "a/+"} {
		s.cut(s.form().publishPacket(message{topic: "a"}, propText(pResponseTopic, topic)), 0x81, 0x82, 0x90)
	}
}

func clientsSendNoSubscriptionIdentifier(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().publishPacket(message{topic: "a"}, propVarint(pSubscription, 1)), 0x81, 0x82)
	s.cut(s.form().subscribePacket(1, propVarint(pSubscription, 0), subscription("a", 0)), 0x81, 0x82)
}

func aliasZeroIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().publishPacket(message{topic: "a"}, prop16(pAlias, 0)), 0x82, 0x94)
}

// announced returns a property of CONNACK that has two bytes, 0 if it is not there.
func announced(p packet, id byte) int {
	for rest := p.body[3:]; len(rest) > 0; {
		size := map[byte]int{pSessionExpiry: 4, 19: 2, pReceiveMaximum: 2, pAliasMaximum: 2, 36: 1, 37: 1, pMaximumPacket: 4, 40: 1, 41: 1, 42: 1}[rest[0]]
		switch {
		case size == 0:
			size = 2 + int(rest[1])<<8 + int(rest[2])
		case rest[0] == id:
			return int(rest[1])<<8 + int(rest[2])
		}
		rest = rest[1+size:]
	}
	return 0
}

// aliasesAreWithinBounds: up to what was announced they work, beyond they do not,
// and they end with the connection.
func aliasesAreWithinBounds(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("a", 0)
	c := s.open()
	most := announced(c.connect(session{id: "c", props: [][]byte{prop32(pSessionExpiry, 3600)}}), pAliasMaximum)
	for _, alias := range []int{1, most} {
		if most == 0 {
			break
		}
		c.write(c.publishPacket(message{topic: "a", payload: "x"}, prop16(pAlias, uint16(alias))))
		c.write(c.publishPacket(message{payload: "y"}, prop16(pAlias, uint16(alias))))
		sub.wantMessage("a", "x")
		sub.wantMessage("a", "y")
	}
	c.offer(c.publishPacket(message{topic: "a"}, prop16(pAlias, uint16(most+1))))
	c.wantCut(0x94)
	c, _ = s.resume("c")
	c.offer(c.publishPacket(message{payload: "z"}, prop16(pAlias, 1)))
	c.wantCut(0x82, 0x94)
	sub.sync()
}

// aliasesAreNotSent to a client that did not ask for them, nor more than it asked for.
func aliasesAreNotSent(t *testing.T, v byte) {
	s := plain(t, v)
	plain := s.listen("a/#", 0)
	some := s.open()
	some.connect(session{flags: clean, props: [][]byte{prop16(pAliasMaximum, 2)}})
	some.subscribe(subscription("a/#", 0))
	pub := s.enter("")
	for i := range 20 {
		topic := fmt.Sprintf("a/%d", i%5)
		pub.publish(message{topic: topic, payload: "x"})
		if m := plain.wantMessage(topic, "x"); len(m.props) != 0 {
			t.Errorf("properties % x", m.props)
		}
		m := some.take()
		if len(m.props) == 3 && m.props[0] == pAlias && (m.props[1] != 0 || m.props[2] < 1 || m.props[2] > 2) || len(m.props) != 0 && len(m.props) != 3 {
			t.Errorf("properties % x", m.props)
		}
	}
}

func responseInformationIsNotSent(t *testing.T, v byte) {
	s := plain(t, v)
	for _, list := range [][][]byte{nil, {prop8(pResponses, 0)}, {prop8(pResponses, 1)}} {
		c := s.open()
		if p := c.connect(session{id: "x", flags: clean, props: list}); bytes.IndexByte(p.body[3:], pResponseInfo) >= 0 {
			t.Errorf("CONNACK % x", p.body)
		}
		c.lose()
	}
}

// problemsAreKeptBack: reason strings go to who wants them.
func problemsAreKeptBack(t *testing.T, v byte) {
	s := serve(t, v, broker.Config{Limits: broker.Limits{Retained: 1}, Protected: []string{"mine"}})
	s.enter("").publish(message{topic: "a", payload: "x", retain: true})
	for asked := range byte(2) {
		c := s.open()
		c.connect(session{flags: clean, props: [][]byte{prop8(pProblems, asked)}})
		c.write(c.publishPacket(message{topic: "mine", qos: 1, id: 1}), c.publishPacket(message{topic: "mine", qos: 2, id: 2}), ack(tPUBREL, 9), ack(tPUBREC, 9))
		c.write(c.subscribePacket(3, propUser("k", "v"), subscription("a+", 0)), pack(tUNSUBSCRIBE, u16(4), c.props(propUser("k", "v")), text("none")))
		for range 6 {
			p, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			told := bytes.Contains(p.body[2:], raw(pReason, 0)) || bytes.Contains(p.body[2:], raw(pUser, 0))
			if told && asked == 0 {
				t.Errorf("packet 0x%02x % x holds what was not wanted", p.first, p.body)
			}
		}
	}
}

// smallPacketsAreMinded: nothing larger than asked comes, reason strings least of
// all, and what cannot come counts as delivered.
func smallPacketsAreMinded(t *testing.T, v byte) {
	const most = 40
	s := serve(t, v, broker.Config{Protected: []string{"mine"}})
	c := s.open()
	c.connect(session{flags: clean, props: [][]byte{prop32(pMaximumPacket, most)}})
	c.subscribe(subscription("a", 1))
	pub := s.enter("")
	for range 3000 { // more than a window
		pub.offer(pub.publishPacket(message{topic: "a", payload: strings.Repeat("x", most), qos: 1, id: 1}))
	}
	for range 3000 {
		pub.wantAck(tPUBACK, 1, 0)
	}
	pub.publish(message{topic: "a", payload: "small", qos: 1})
	c.wantMessage("a", "small")
	c.write(c.publishPacket(message{topic: "mine", qos: 1, id: 1}), c.publishPacket(message{topic: "mine", qos: 2, id: 2}), ack(tPUBREL, 9), ack(tPUBREC, 9))
	c.write(c.subscribePacket(3, propUser("k", strings.Repeat("v", most)), subscription("a+", 0)))
	c.write(pack(tUNSUBSCRIBE, u16(4), c.props(propUser("k", strings.Repeat("v", most))), text("none")))
	for n := range 7 {
		if n == 6 {
			c.write(c.publishPacket(message{topic: "#"}))
		}
		p, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if len(p.body)+2 > most {
			t.Errorf("packet 0x%02x has %d bytes", p.first, len(p.body)+2)
		}
	}
	c.wantEnd()
}

func retainHandlingIsMinded(t *testing.T, v byte) {
	s := plain(t, v)
	s.enter("").publish(message{topic: "a", payload: "x", qos: 1, retain: true})
	sub := s.enter("")
	for _, tt := range []struct {
		handling byte
		comes    bool
	}{{2, false}, {1, false}, {0, true}, {0, true}, {1, false}, {2, false}} {
		sub.subscribe(subscription("a", tt.handling<<4))
		if tt.comes {
			sub.wantMessage("a", "x")
		}
		sub.sync()
	}
	sub.unsubscribe("a")
	sub.subscribe(subscription("a", 1<<4))
	sub.wantMessage("a", "x")
}

func retainIsAsPublished(t *testing.T, v byte) {
	s := plain(t, v)
	as, not := s.listen("a", 1<<3), s.listen("a", 0)
	pub := s.enter("")
	for _, retain := range []bool{true, false} {
		pub.publish(message{topic: "a", payload: "x", retain: retain})
		if m := as.wantMessage("a", "x"); m.retain != retain {
			t.Errorf("published with retain %v, came with %v", retain, m.retain)
		}
		if m := not.wantMessage("a", "x"); m.retain {
			t.Error("the retain flag is set")
		}
	}
}

func ownMessagesStayAway(t *testing.T, v byte) {
	s := plain(t, v)
	c, other := s.enter("c"), s.listen("a", 0)
	c.subscribe(subscription("a", 1<<2))
	c.publish(message{topic: "a", payload: "own", qos: 1})
	c.sync()
	other.wantMessage("a", "own")
	s.enter("").publish(message{topic: "a", payload: "other"})
	c.wantMessage("a", "other")
}

func sharedIsNotNoLocal(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().subscribePacket(1, nil, subscription("$share/g/a", 1<<2)), 0x82)
}

func subscriptionIdentifiersComeAlong(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.enter("")
	sub.subscribeAs(propVarint(pSubscription, 7), subscription("a/#", 0))
	sub.subscribeAs(propVarint(pSubscription, 268435455), subscription("a/+", 1), subscription("a/b", 2))
	sub.subscribe(subscription("#", 0)) // has none
	s.enter("").publish(message{topic: "a/b", payload: "x", qos: 1, retain: true})
	m := sub.wantMessage("a/b", "x")
	if !m.has(propVarint(pSubscription, 7)) || !m.has(propVarint(pSubscription, 268435455)) || len(m.props) != 2+5 {
		t.Errorf("properties % x", m.props)
	}
	sub.subscribe(subscription("a/#", 2<<4), subscription("a/+", 2<<4), subscription("a/b", 2<<4)) // takes them away
	s.enter("").publish(message{topic: "a/b", payload: "y"})
	if m := sub.wantMessage("a/b", "y"); len(m.props) != 0 {
		t.Errorf("properties % x", m.props)
	}
	sub.subscribeAs(propVarint(pSubscription, 9), subscription("+/b", 0))
	s.enter("").publish(message{topic: "a/b", payload: "z"})
}

func receiveMaximumIsMinded(t *testing.T, v byte) {
	const most, n = 3, 20
	s := plain(t, v)
	sub := s.open()
	small := session{id: "c", props: [][]byte{prop16(pReceiveMaximum, most), prop32(pSessionExpiry, 3600)}}
	sub.connect(small)
	sub.subscribe(subscription("a", 2), subscription("b", 0))
	pub := s.enter("")
	for i := range n {
		pub.publish(message{topic: "a", payload: fmt.Sprint(i), qos: byte(1 + i%2)})
	}
	for range most {
		sub.read()
	}
	sub.sync() // is answered, though nothing more may come
	sub.lose()
	sub = s.open()
	sub.connect(small)
	var open []message
	for range most {
		open = append(open, sub.read())
	}
	sub.sync()
	for i := range n {
		m := open[0]
		open = open[1:]
		if m.payload != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.payload)
		}
		switch m.qos {
		case 1:
			sub.write(ack(tPUBACK, m.id))
		default:
			sub.write(ack(tPUBREC, m.id))
			sub.wantAck(tPUBREL, m.id, 0)
			sub.sync() // PUBREC makes no room
			sub.write(ack(tPUBCOMP, m.id))
		}
		if i+most < n {
			open = append(open, sub.read())
		}
		sub.sync()
	}
}

// receiveMaximumOfServer: what CONNACK announces may be sent without waiting.
func receiveMaximumOfServer(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	most := announced(c.connect(session{flags: clean}), pReceiveMaximum)
	if most == 0 {
		most = 65535
	}
	for i := range most {
		c.offer(c.publishPacket(message{topic: "a", payload: "x", qos: 2, id: uint16(i + 1)}))
	}
	for i := range most {
		c.wantAck(tPUBREC, uint16(i+1), 0)
	}
	c.sync()
}

func sharedFiltersAreWellFormed(t *testing.T, v byte) {
	s := plain(t, v)
	for _, filter := range []string{"$share/", "$share/g", "$share//a", "$share/g/", "$share/+/a", "$share/g#/a", "$share/g+/a"} {
		c := s.enter("")
		c.write(c.subscribePacket(1, nil, subscription(filter, 0)))
		if got := c.codes(tSUBACK, 1); got[0] < 0x80 {
			t.Errorf("%s: SUBACK % x", filter, got)
		}
	}
	sub := s.listen("$share/g/a/+", 0)
	s.enter("").publish(message{topic: "a/b", payload: "x"})
	sub.wantMessage("a/b", "x")
}

func sharedGoesToOne(t *testing.T, v byte) {
	s := plain(t, v)
	members := []*client{s.listen("$share/g/a", 0), s.listen("$share/g/a", 1), s.listen("$share/g/a", 2)}
	pub := s.enter("")
	const n = 30
	for i := range n {
		pub.publish(message{topic: "a", payload: fmt.Sprint(i), qos: 2})
	}
	got := 0
	for qos, c := range members {
		c.write(pingreq())
		for {
			p, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if p.kind() == tPINGRESP {
				break
			}
			if p.kind() != tPUBLISH || int(p.first>>1&3) != qos {
				t.Errorf("packet 0x%02x for a subscription of QoS %d", p.first, qos)
			}
			got++
		}
	}
	if got != n {
		t.Errorf("%d messages, want %d", got, n)
	}
}

// sharedStaysWithOne: a message of QoS 2 that one member has been sent is finished
// with that one, or with nobody.
func sharedStaysWithOne(t *testing.T, v byte) {
	s := plain(t, v)
	c, _ := s.resume("c")
	c.subscribe(subscription("$share/g/a", 2))
	pub := s.enter("")
	pub.publish(message{topic: "a", payload: "x", qos: 2})
	m := c.read()
	other := s.listen("$share/g/a", 2)
	c.lose()
	other.sync()
	c, _ = s.resume("c")
	if again := c.read(); again.id != m.id || !again.dup {
		t.Errorf("came again as %+v", again)
	}
	c.lose()
	s.enter("c") // ends the session
	other.sync()
	pub.publish(message{topic: "a", payload: "y", qos: 2})
	other.wantMessage("a", "y")
}

func sharedRefusedIsDiscarded(t *testing.T, v byte) {
	s := plain(t, v)
	c, pub := s.listen("$share/g/a", 2), s.enter("")
	pub.publish(message{topic: "a", payload: "x", qos: 1})
	pub.publish(message{topic: "a", payload: "y", qos: 2})
	first, second := c.read(), c.read()
	other := s.listen("$share/g/a", 2)
	c.write(pack(tPUBACK, u16(first.id), raw(0x83)), pack(tPUBREC, u16(second.id), raw(0x97)))
	c.sync()
	other.sync()
}

func unknownAuthenticationIsRefused(t *testing.T, v byte) {
	s := plain(t, v)
	s.refuse(0, 0x8c, s.form().connectPacket(session{flags: clean, props: [][]byte{propText(pMethod, "SCRAM-SHA-1"), propText(pData, "x")}}))
}

func authIsRefusedWithoutMethod(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	for _, p := range [][]byte{pack(tAUTH), pack(tAUTH, raw(0x19), c.props(propText(pMethod, "x"))), pack(tAUTH, raw(0x18), c.props(propText(pMethod, "x")))} {
		s.cut(p, 0x82)
	}
}

func connackHasNoMethod(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.open()
	p := c.connect(session{id: "x", flags: clean})
	if p.body[0] != 0 || announced(p, pMethod) != 0 {
		t.Errorf("CONNACK % x", p.body)
	}
	c.sync() // and no AUTH
}

func varintsAreShort(t *testing.T, v byte) {
	s := plain(t, v)
	sub, pub := s.enter(""), s.enter("")
	for _, size := range []int{0, 100, 127, 128, 200, 16300, 16384, 17000} {
		sub.subscribeAs(propVarint(pSubscription, max(size, 1)), subscription("a", 0))
		pub.publish(message{topic: "a", payload: strings.Repeat("x", size)})
		sub.write(pingreq())
		head, err := sub.r.Peek(5)
		if err != nil {
			t.Fatal(err)
		}
		head = bytes.Clone(head)
		m := sub.take()
		length := 2 + 1 + 1 + len(m.props) + size
		if want := varint(length); !bytes.HasPrefix(head[1:], want) {
			t.Errorf("%d bytes: the length is % x, want % x", length, head[1:], want)
		}
		if !bytes.Equal(m.props, propVarint(pSubscription, max(size, 1))) {
			t.Errorf("properties % x", m.props)
		}
		sub.want(tPINGRESP)
	}
}

// smallConnackIsMinded: a refusal is told without its reason string to a client
// that takes small packets only, and not at all to one that takes less.
func smallConnackIsMinded(t *testing.T, v byte) {
	s := guarded(t, v)
	for most := range uint32(40) {
		if most == 0 {
			continue
		}
		c := s.open()
		c.write(c.connectPacket(session{flags: clean, props: [][]byte{prop32(pMaximumPacket, most), propUser("k", "v")}}))
		p, err := c.next()
		if err == nil && (p.kind() != tCONNACK || len(p.body)+2 > int(most)) {
			t.Errorf("%d bytes for a client that takes %d", len(p.body)+2, most)
		}
		c.lose()
	}
}
