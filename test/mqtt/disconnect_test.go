package mqtt_test

import "testing"

// disconnectEndsConnection: what comes after DISCONNECT is not heard.
func disconnectEndsConnection(t *testing.T, v byte) {
	s := plain(t, v)
	sub := s.listen("#", 0)
	c := s.enter("")
	c.write(c.disconnect(0), c.publishPacket(message{topic: "a", payload: "x"}))
	c.wantEnd()
	sub.sync()
}

// serverDisconnectIsLast: wantCut expects nothing behind DISCONNECT but the end.
func serverDisconnectIsLast(t *testing.T, v byte) {
	s := plain(t, v)
	c := s.enter("")
	c.offer(c.publishPacket(message{topic: "#"}), c.publishPacket(message{topic: "a", qos: 1, id: 1}), pingreq())
	c.wantCut(0x81, 0x82, 0x90)
}

// expiryIsNotRaised: who connected without a session to be kept cannot ask for one
// at the end.
func expiryIsNotRaised(t *testing.T, v byte) {
	s := plain(t, v)
	s.cut(s.form().disconnect(0, prop32(pSessionExpiry, 5)), 0x82)
	c := s.open()
	c.connect(session{id: "c", props: [][]byte{prop32(pSessionExpiry, 3600)}})
	c.write(c.disconnect(0, prop32(pSessionExpiry, 0)))
	c.wantEnd()
	if _, present := s.resume("c"); present {
		t.Error("the session was kept")
	}
}
