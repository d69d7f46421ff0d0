package mqtt_test

import (
	"testing"
	"time"
)

func willIsPublished(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	for _, leave := range []func(*client){
		func(c *client) { c.lose() },
		func(c *client) { c.offer(raw(0xff)) },
		func(c *client) { c.offer(c.publishPacket(message{topic: "a/#"})) },
		func(c *client) { s.enter("c") },
	} {
		c := s.open()
		c.connect(session{id: "c", flags: clean | withWill | 1<<3, payload: c.willPayload("gone", "x")})
		leave(c)
		sub.wantMessage("gone", "x")
		sub.sync() // and once only
	}
}

func willIsTakenBack(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	c.connect(session{id: "c", flags: clean | withWill, payload: c.willPayload("gone", "x")})
	c.leave()
	s.enter("c") // the session of the other has ended by now
	sub.sync()
}

func noWillIsNone(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("#", 1)
	c := s.enter("c")
	c.lose()
	s.enter("c")
	sub.sync()
}

func willIsRetainedAsAsked(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("#", 1)
	for _, flags := range []byte{0, willRetain} {
		c := s.open()
		topic := []string{"fleeting", "staying"}[flags/willRetain]
		c.connect(session{flags: clean | withWill | flags, payload: c.willPayload(topic, "x")})
		c.lose()
		if m := sub.wantMessage(topic, "x"); m.retain {
			t.Error("the retain flag is set for an established subscription")
		}
	}
	late := s.listen("#", 1)
	if m := late.wantMessage("staying", "x"); !m.retain {
		t.Error("the retain flag is not set")
	}
	late.sync()
}

func willWaits(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	delayed := c.kept("c")
	delayed.flags, delayed.payload = withWill, c.willPayload("gone", "x", prop32(pWillDelay, 1))
	c.connect(delayed)
	t0 := time.Now()
	c.lose()
	sub.wantMessage("gone", "x")
	if waited := time.Since(t0); waited < time.Second {
		t.Errorf("came after %v", waited)
	}
}

// willIsForgotten: whoever comes back in time has left no will behind. A will that
// was still waiting would be published when the session ends.
func willIsForgotten(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	delayed := c.kept("c")
	delayed.flags, delayed.payload = withWill, c.willPayload("gone", "x", prop32(pWillDelay, 3000))
	c.connect(delayed)
	c.lose()
	c, present := s.resume("c")
	if !present {
		t.Error("the session was lost")
	}
	c.lose()
	s.enter("c")
	sub.sync()
}

func willComesWithSessionEnd(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	delayed := c.kept("c")
	delayed.flags, delayed.payload = withWill, c.willPayload("gone", "x", prop32(pWillDelay, 3000))
	c.connect(delayed)
	c.lose()
	s.enter("c")
	sub.wantMessage("gone", "x")
}

func willKeepsProperties(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	list := join(propText(pContentType, "text/plain"), propText(pResponseTopic, "r"), propText(pCorrelation, "k"),
		propUser("b", "1"), propUser("a", "2"), propUser("b", "3"))
	c.connect(session{flags: clean | withWill, payload: c.willPayload("gone", "x", prop8(pFormat, 1), list)})
	c.lose()
	m := sub.wantMessage("gone", "x")
	for _, p := range [][]byte{prop8(pFormat, 1), propText(pContentType, "text/plain"), propText(pResponseTopic, "r"), propText(pCorrelation, "k"),
		join(propUser("b", "1"), propUser("a", "2"), propUser("b", "3"))} {
		if !m.has(p) {
			t.Errorf("properties % x, without % x", m.props, p)
		}
	}
}

func willSurvivesOtherDisconnect(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("gone", 1)
	c := s.open()
	c.connect(session{flags: clean | withWill, payload: c.willPayload("gone", "x")})
	c.write(c.disconnect(0x04))
	sub.wantMessage("gone", "x")
}
