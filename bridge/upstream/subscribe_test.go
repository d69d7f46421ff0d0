package upstream_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

const subscribe = 8

// TestReceive: subscriptions come before anything else, the session is kept
// upstream, and a PUBACK leaves only when the message was taken.
func TestReceive(t *testing.T) {
	s := listen(t)
	taken, let := make(chan topic.Message), make(chan bool)
	cfg := upstream.Config{
		ClientID: "gw", Subscribe: map[string]byte{"a/#": 1, "b": 0},
		Receive: func(m topic.Message) { taken <- m; <-let },
	}
	p, hello, result := s.dial(cfg, nil)
	if flags := hello.body[7]; flags&2 != 0 {
		t.Errorf("CONNECT with a clean session: %08b", flags)
	}
	p.send(connack, 1, 0)
	ask := p.next(subscribe)
	if !strings.Contains(string(ask.body), "a/#\x01") || !strings.Contains(string(ask.body), "b\x00") {
		t.Errorf("SUBSCRIBE %q", ask.body)
	}
	codes := []byte{0x80, 0}
	if first, _ := text(ask.body[2:]); first == "b" {
		slices.Reverse(codes)
	}
	p.send(suback, append(ask.body[:2:2], codes...)...)
	d := <-result
	if d.err != nil || !slices.Equal(d.session.Denied(), []string{"a/#"}) {
		t.Fatalf("session %v, denied %q", d.err, d.session.Denied())
	}
	p.conn.Write([]byte{publish<<4 | 2 | 1, 6, 0, 1, 'b', 0, 9, 'x'})
	if m := <-taken; m.Topic != "b" || string(m.Payload) != "x" || m.QoS != 1 || !m.Retain {
		t.Errorf("received %+v", m)
	}
	p.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if got, err := p.read(); err == nil {
		t.Errorf("packet of type %d before the message was taken", got.kind)
	}
	p.conn.SetReadDeadline(time.Now().Add(patience))
	let <- true
	if ack := p.next(puback); !slices.Equal(ack.body, []byte{0, 9}) {
		t.Errorf("PUBACK %v", ack.body)
	}
	d.session.Close(t.Context())
}

// TestNoSuback: a broker that does not answer, or hangs up, is an error.
func TestNoSuback(t *testing.T) {
	s := listen(t)
	p, _, result := s.dial(upstream.Config{ClientID: "gw", Subscribe: map[string]byte{"a": 1}}, nil)
	p.send(connack, 0, 0)
	p.next(subscribe)
	p.cut()
	if d := <-result; d.err == nil || !strings.Contains(d.err.Error(), "SUBSCRIBE") {
		t.Errorf("error %v", d.err)
	}
}
