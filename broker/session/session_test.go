package session_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/session"
)

var v4 = session.Terms{Version: 4}

func TestWindow(t *testing.T) {
	s := session.NewPool(session.Limits{Window: 3}).New()
	l := newLink(5)
	s.Attach(l, session.Terms{Version: 5, ReceiveMaximum: 2})
	deliver(t, s, 1, 1, 5)
	wantPackets(t, l, "1 1", "2 2")
	s.Puback(1)
	wantPackets(t, l, "3 3")
	s.Puback(1) // once more, which makes no room
	s.Puback(9)
	wantPackets(t, l)
	s.Puback(3)
	s.Puback(2)
	wantPackets(t, l, "4 4", "5 5")
	l = newLink(4)
	s.Attach(l, v4)
	deliver(t, s, 1, 6, 5)
	wantPackets(t, l, "4 4 again", "5 5 again", "6 6")
}

// TestOrderAfterReconnect: what was sent comes again first, marked, and what was
// not comes unmarked, also when the new window is smaller.
func TestOrderAfterReconnect(t *testing.T) {
	s := session.NewPool(session.Limits{}).New()
	l := newLink(4)
	s.Attach(l, v4)
	deliver(t, s, 1, 1, 4)
	l.take()
	s.Puback(2)
	s.Detach(l)
	deliver(t, s, 1, 5, 2)
	deliver(t, s, 0, 100, 3) // not for those who are away
	l = newLink(5)
	s.Attach(l, session.Terms{Version: 5, ReceiveMaximum: 2})
	wantPackets(t, l, "1 1 again", "3 3 again")
	s.Puback(3)
	wantPackets(t, l, "4 4 again")
	s.Puback(1)
	s.Puback(4)
	wantPackets(t, l, "5 5", "6 6")
}

func TestQoS2(t *testing.T) {
	s := session.NewPool(session.Limits{Window: 2}).New()
	l := newLink(4)
	s.Attach(l, v4)
	deliver(t, s, 2, 1, 4)
	wantPackets(t, l, "1 1", "2 2")
	s.Pubrec(1, false)
	wantPackets(t, l, "PUBREL 1") // still in the window
	s.Puback(2)                   // not the answer to QoS 2
	s.Pubcomp(2)
	wantPackets(t, l)
	s.Detach(l)
	l = newLink(4)
	s.Attach(l, v4)
	wantPackets(t, l, "PUBREL 1", "2 2 again")
	s.Pubcomp(1)
	wantPackets(t, l, "3 3")
	s.Pubrec(2, true) // refused, and over
	wantPackets(t, l, "4 4")
	if s.Pubrec(2, false) || s.Pubrec(77, false) {
		t.Error("an identifier that is not in use is known")
	}
}

// TestReceivedBeforeResent: an acknowledgement may overtake what is sent again.
func TestReceivedBeforeResent(t *testing.T) {
	s := session.NewPool(session.Limits{Window: 2}).New()
	l := newLink(4)
	s.Attach(l, v4)
	deliver(t, s, 2, 1, 2)
	s.Detach(l)
	l = newLink(4)
	l.room = 0
	s.Attach(l, v4)
	s.Pubrec(1, false)
	s.Pubrec(2, true)
	l.room = -1
	s.Pump()
	wantPackets(t, l, "PUBREL 1")
	deliver(t, s, 1, 3, 2)
	wantPackets(t, l, "3 3") // the window has room for one
}

// TestRoom: a link that takes no more is not written to, until it does.
func TestRoom(t *testing.T) {
	pool := session.NewPool(session.Limits{})
	s := pool.New()
	l := newLink(4)
	l.room = 1
	s.Attach(l, v4)
	deliver(t, s, 0, 1, 3)
	if got := fmt.Sprint(l.take()); got != "[1 0]" {
		t.Fatalf("got %s", got)
	}
	l.room = 1
	s.Pump()
	if got := fmt.Sprint(l.take()); got != "[2 0]" {
		t.Fatalf("got %s", got)
	}
	s.Detach(l)
	if got := pool.Stats().Bytes; got != 0 {
		t.Errorf("%d bytes are kept for a client that is away", got)
	}
}

// TestBrokenLink: what the link did not take was never sent.
func TestBrokenLink(t *testing.T) {
	s := session.NewPool(session.Limits{}).New()
	broken, l := newLink(4), newLink(4)
	s.Attach(broken, v4)
	deliver(t, s, 1, 1, 1)
	broken.broken = true
	deliver(t, s, 1, 2, 1)
	if s.Attached() {
		t.Error("still attached to a broken link")
	}
	s.Attach(l, v4)
	s.Detach(broken) // too late to matter
	wantPackets(t, l, "1 1 again", "2 2")
}

func TestHold(t *testing.T) {
	s := session.NewPool(session.Limits{}).New()
	l := newLink(4)
	s.Attach(l, v4)
	s.Hold(l)
	deliver(t, s, 1, 1, 2)
	s.Release(newLink(4)) // of somebody else
	wantPackets(t, l)
	s.Release(l)
	wantPackets(t, l, "1 1", "2 2")
	s.Hold(l)
	s.Hold(newLink(4))
	l = newLink(4)
	s.Attach(l, v4) // which is held by nobody
	wantPackets(t, l, "1 1 again", "2 2 again")
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := session.NewPool(session.Limits{})
		s := pool.New()
		add := func(payload string, life time.Duration) {
			m := message(payload)
			m.Expires = time.Now().Add(life)
			s.Deliver(m, session.Delivery{QoS: 1})
		}
		add("short", 3*time.Second)
		add("long", 10*time.Second)
		time.Sleep(3 * time.Second)
		l := newLink(5)
		s.Attach(l, session.Terms{Version: 5})
		got := wantPackets(t, l, "long 2")
		if got[0].expiry != 7 {
			t.Errorf("expires in %d s, want 7", got[0].expiry)
		}
		time.Sleep(time.Minute) // it was sent in time, so it has to arrive
		s.Attach(l, session.Terms{Version: 5})
		wantPackets(t, l, "long 2 again")
		if got := pool.Stats(); got.Expired != 1 || got.Dropped() != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestExpiredMakesRoom: a full queue does not refuse a message because of others
// that nobody will get.
func TestExpiredMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := session.NewPool(session.Limits{Messages: 1}).New()
		m := message("old")
		m.Expires = time.Now().Add(time.Second)
		s.Deliver(m, session.Delivery{QoS: 1})
		if why := s.Deliver(message("early"), session.Delivery{QoS: 1}); why != session.Full {
			t.Errorf("dropped for %v", why)
		}
		time.Sleep(time.Second)
		deliver(t, s, 1, 1, 1)
	})
}

// TestMaximumPacket: a message that is too large for the client is left out, at
// first and when it is to be sent again.
func TestMaximumPacket(t *testing.T) {
	pool := session.NewPool(session.Limits{})
	s := pool.New()
	l := newLink(5)
	large := strings.Repeat("x", 100)
	s.Attach(l, session.Terms{Version: 5})
	s.Deliver(message(large), session.Delivery{QoS: 1})
	wantPackets(t, l, large+" 1")
	deliver(t, s, 1, 2, 1)
	l = newLink(5)
	s.Attach(l, session.Terms{Version: 5, MaximumPacket: 50})
	s.Deliver(message(large), session.Delivery{QoS: 2})
	deliver(t, s, 1, 4, 1)
	wantPackets(t, l, "2 2 again", "4 4")
	if got := pool.Stats(); got.Large != 2 || got.Dropped() != 2 {
		t.Errorf("%+v", got)
	}
}

func TestBounds(t *testing.T) {
	pool := session.NewPool(session.Limits{SessionBytes: 1000, TotalBytes: 1500})
	a, b := pool.New(), pool.New()
	fill := func(s *session.Session) (n int, why session.Reason) {
		for ; why == session.None; n++ {
			why = s.Deliver(message("x"), session.Delivery{QoS: 1})
		}
		return n - 1, why
	}
	if n, why := fill(a); n != 7 || why != session.Full {
		t.Errorf("%d messages, then %v", n, why)
	}
	if n, why := fill(b); n != 4 || why != session.Memory {
		t.Errorf("%d messages, then %v", n, why)
	}
	large := message(strings.Repeat("x", 1<<20))
	a.Close()
	a = pool.New()
	if why := a.Deliver(large, session.Delivery{QoS: 1, Stored: true}); why != session.None {
		t.Errorf("a message that is stored is dropped: %v", why)
	}
	a.Close()
	b.Close()
	b.Deliver(large, session.Delivery{QoS: 1})
	if got := pool.Stats(); got.Bytes != 0 || got.Full != 1 || got.Memory != 1 {
		t.Errorf("%+v", got)
	}
}

// TestIdentifiers: an identifier in flight is left out when the count comes round.
func TestIdentifiers(t *testing.T) {
	s := session.NewPool(session.Limits{}).New()
	l := newLink(4)
	s.Attach(l, v4)
	deliver(t, s, 1, 1, 5) // 3 stays
	for i := range 70_000 {
		for _, p := range l.take() {
			if p.payload != "3" && p.id == 3 {
				t.Fatal("identifier 3 is used twice")
			}
			if p.payload != "3" {
				s.Puback(p.id)
			}
		}
		deliver(t, s, 1, 6+i, 1)
	}
	if got := l.take(); len(got) != 1 || got[0].id == 0 {
		t.Errorf("got %v", got)
	}
}

// TestConcurrent has many goroutines use a session at once: all that was queued
// arrives once, in the order of each publisher.
func TestConcurrent(t *testing.T) {
	const publishers, each = 4, 500
	pool := session.NewPool(session.Limits{Window: 20})
	s := pool.New()
	got := make(chan packet, publishers*each)
	s.Attach(channel(got), v4)
	var running sync.WaitGroup
	for p := range publishers {
		running.Go(func() {
			for i := range each {
				s.Deliver(&session.Message{Topic: fmt.Sprint(p), Payload: fmt.Append(nil, i)}, session.Delivery{QoS: 1})
			}
		})
	}
	next := map[string]int{}
	for range publishers * each {
		p := <-got
		if p.payload != fmt.Sprint(next[p.topic]) {
			t.Fatalf("%s: got %s, want %d", p.topic, p.payload, next[p.topic])
		}
		next[p.topic]++
		s.Puback(p.id)
	}
	running.Wait()
	if got := pool.Stats(); got.Bytes != 0 || got.Sent != publishers*each {
		t.Errorf("%+v", got)
	}
}

type channel chan packet

func (channel) Room() bool { return true }

func (c channel) Send(b []byte) error {
	p, err := parse(b, 4)
	c <- p
	return err
}

// TestOwnShare: a session that keeps up gets its messages when others hold all the
// memory there is.
func TestOwnShare(t *testing.T) {
	pool := session.NewPool(session.Limits{SessionBytes: 1 << 20, TotalBytes: 1 << 20})
	hoarder, brisk := pool.New(), pool.New()
	defer hoarder.Close()
	defer brisk.Close()
	m := &session.Message{Topic: "a"}
	for hoarder.Deliver(m, session.Delivery{QoS: 1}) == session.None {
	}
	kept := 0
	for brisk.Deliver(m, session.Delivery{QoS: 1}) == session.None {
		kept++
	}
	if got := pool.Stats(); kept == 0 || got.Bytes > 1<<20+1<<12 {
		t.Errorf("%d messages beside %d bytes", kept, got.Bytes)
	}
}
