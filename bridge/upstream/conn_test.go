package upstream_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// The further packet types that these tests meet.
const (
	pubrec  = 5
	pubrel  = 6
	pubcomp = 7
)

// connect begins a session step by step; the broker says that it kept one.
func (s *server) connect(ctx context.Context, clean bool) (*upstream.Conn, *peer) {
	s.t.Helper()
	path, err := upstream.Dial(ctx, upstream.Config{URL: s.url(), ClientID: "far"})
	if err != nil {
		s.t.Fatal(err)
	}
	peers := make(chan *peer, 1)
	go func() {
		p := s.accept()
		got := p.next(connect)
		if isClean := got.body[7]&2 != 0; isClean != clean {
			s.t.Errorf("CONNECT has clean session %v, want %v", isClean, clean)
		}
		p.send(connack, 1, 0)
		peers <- p
	}()
	c, kept, err := path.Connect(ctx, clean)
	if err != nil || !kept {
		s.t.Fatalf("kept %v, %v", kept, err)
	}
	s.t.Cleanup(c.Close)
	return c, <-peers
}

// lead runs the broker's side beside what f does.
func lead(t *testing.T, broker func(), f func() error) error {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		broker()
	}()
	err := f()
	<-done
	return err
}

func TestConnHandsOver(t *testing.T) {
	c, p := listen(t).connect(t.Context(), false)
	batch := []upstream.Numbered{
		{Message: topic.Message{Topic: "a", Payload: []byte("1"), Retain: true}, ID: 7, Again: true},
		{Message: topic.Message{Topic: "b", Payload: []byte("2")}, ID: 65535},
	}
	err := lead(t, func() {
		var flags []byte
		var bodies [][]byte
		for range batch {
			m := p.next(publish)
			flags, bodies = append(flags, m.flags), append(bodies, m.body)
		}
		if !bytes.Equal(flags, []byte{0b1101, 0b0100}) || string(bodies[0]) != "\x00\x01a\x00\x071" || string(bodies[1]) != "\x00\x01b\xff\xff2" {
			t.Errorf("published %08b, %q", flags, bodies)
		}
		p.send(pubrec, 0xff, 0xff)
		p.send(pubrec, 0, 7)
	}, func() error { return c.Publish(2, batch) })
	if err != nil {
		t.Fatal(err)
	}
	err = lead(t, func() {
		for _, id := range []string{"\x00\x07", "\xff\xff"} {
			if got := p.next(pubrel); string(got.body) != id || got.flags != 2 {
				t.Errorf("released %q, flags %b", got.body, got.flags)
			}
			p.send(pubcomp, []byte(id)...)
		}
	}, func() error { return c.Release([]uint16{7, 65535}) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestConnTakes: messages that come while something else is waited for are there
// afterwards, in order, and nothing is acknowledged by itself.
func TestConnTakes(t *testing.T) {
	c, p := listen(t).connect(t.Context(), false)
	say := func(id byte) {
		p.conn.Write([]byte{0x32, 7, 0, 1, 'a', 0, id, 'x', id})
	}
	err := lead(t, func() {
		if got := p.next(subscribe); string(got.body) != "\x00\x01\x00\x03a/#\x01" {
			t.Errorf("subscribed by %q", got.body)
		}
		say(1)
		p.send(suback, 0, 1, 1)
		say(2)
		p.next(pingreq)
		say(3)
		p.send(pingresp)
	}, func() error {
		if err := c.Subscribe("a/#"); err != nil {
			return err
		}
		return c.Ping()
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(3) {
		d, ok, err := c.Next(patience)
		if err != nil || !ok || d.ID != uint16(i+1) || d.Topic != "a" || d.QoS != 1 {
			t.Fatalf("message %d is %+v, %v, %v", i+1, d, ok, err)
		}
		if err := c.Ack(d); err != nil {
			t.Fatal(err)
		}
		if got := p.next(puback); !bytes.Equal(got.body, []byte{0, i + 1}) {
			t.Errorf("PUBACK %x", got.body)
		}
	}
	if _, ok, err := c.Next(time.Millisecond); ok || err != nil {
		t.Errorf("another message: %v, %v", ok, err)
	}
}

// TestConnTrustsNothing: an answer that is none ends the step with an error.
func TestConnTrustsNothing(t *testing.T) {
	one := []upstream.Numbered{{Message: topic.Message{Topic: "a"}, ID: 7}}
	for want, answer := range map[string][]byte{
		"QoS 2 for QoS 1":     {0x40, 2, 0, 7},
		"no place here":       {0x50, 2, 0, 8},
		"closed the":          nil,
		"at most":             {0x50, 0xff, 0xff, 0xff, 0x7f},
		"length that is none": {0x50, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		c, p := listen(t).connect(t.Context(), true)
		err := lead(t, func() {
			p.next(publish)
			p.conn.Write(answer)
			p.conn.Close()
		}, func() error { return c.Publish(2, one) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("after % x: %v, want %s", answer, err, want)
		}
	}
}

func TestConnEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := listen(t).connect(ctx, false)
	cancel()
	if _, ok, err := c.Next(patience); ok || err == nil {
		t.Errorf("next message: %v, %v", ok, err)
	}
}

func TestConnSaysWhatToChange(t *testing.T) {
	s := listen(t)
	path, err := upstream.Dial(t.Context(), upstream.Config{URL: s.url(), ClientID: "far"})
	if err != nil {
		t.Fatal(err)
	}
	err = lead(t, func() {
		p := s.accept()
		p.next(connect)
		p.send(connack, 0, 5)
	}, func() error {
		_, _, err := path.Connect(t.Context(), false)
		return err
	})
	if want := fmt.Sprintf("does not authorise client id %q", "far"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}
