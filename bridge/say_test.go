package bridge_test

import (
	"io"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
)

func heartbeat() topic.Message {
	return topic.Message{Topic: "health", Payload: []byte("beat"), QoS: 1, Retain: true}
}

// TestSay: what is said goes ahead of the queue, is no part of its account, and is
// not said again on the next connection.
func TestSay(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(conn int, m topic.Message) verdict {
		if conn == 1 && m.Topic == "health" {
			return withhold
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		born := 0
		g.cfg.Born = func() { born++ }
		g.queue.Close()
		g.open()
		if g.bridge.Say(heartbeat()) {
			t.Error("said without a connection")
		}
		g.run()
		pass(3 * time.Second)
		if !g.bridge.Say(heartbeat()) {
			t.Error("not said on a connection")
		}
		g.offer(1, 2)
		pass(time.Second)
		r.last().end(errCut, false)
		pass(5 * time.Second)
		if !g.bridge.Say(heartbeat()) {
			t.Error("not said on a new connection")
		}
		pass(3 * time.Second)
		const want = "1:online 1 start, 1:beat, 1:1, 2:online 2 reconnect, 2:1, 2:beat"
		if got := line(r.received(), false); got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if s := g.bridge.Stats(); s.Sent != 2 || s.Delivered != 1 || s.InFlight != 0 || born != 2 {
			t.Errorf("%d births, stats %+v", born, s)
		}
	})
}

// TestSayIsBounded: a link that does not move takes some words, and no more.
func TestSayIsBounded(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.cfg.Rate = bridge.Rate{Bytes: 1} // what the birth took of it lasts for a while
		g.queue.Close()
		g.open()
		g.run()
		pass(3 * time.Second)
		said := 0
		for range 100 {
			if g.bridge.Say(heartbeat()) {
				said++
			}
		}
		if said != 16 {
			t.Errorf("%d of 100 taken at once", said)
		}
	})
}

// TestNobodyMaySay has a broker that hangs up on health: what is queued gets
// through all the same, and now and then health is tried again.
func TestNobodyMaySay(t *testing.T) {
	bears := false
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "health" && !bears {
			return hangUp
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.cfg.Born = func() { g.bridge.Say(heartbeat()) }
		g.queue.Close()
		g.open()
		g.offer(1, 6)
		g.run()
		pass(time.Minute)
		if q := g.telemetry(); q.Delivered != 5 || q.Dead != 0 {
			t.Errorf("queue %+v", q)
		}
		conn := g.bridge.Stats().Conn
		if g.bridge.Say(heartbeat()) || !g.bridge.Stats().Connected {
			t.Errorf("still said, or not connected: %+v", g.bridge.Stats())
		}
		pass(time.Hour)
		if !g.bridge.Say(heartbeat()) {
			t.Error("never tried again")
		}
		pass(time.Minute)
		if s := g.bridge.Stats(); g.bridge.Say(heartbeat()) || s.Conn != conn+1 || !s.Connected {
			t.Errorf("still said, or more than one connection for it: %+v", s)
		}
		r.mu.Lock()
		bears = true
		r.mu.Unlock()
		for range 2 {
			pass(time.Hour)
			if !g.bridge.Say(heartbeat()) {
				t.Error("mute for ever")
			}
		}
		pass(time.Second)
		if !g.bridge.Say(heartbeat()) || g.bridge.Stats().Conn != conn+1 {
			t.Errorf("still doubted: %+v", g.bridge.Stats())
		}
	})
}

// TestSayWhereConnectionsAreShort: that all connections end soon after the birth,
// and so upon the heartbeat behind it, is no reason to say nothing more.
func TestSayWhereConnectionsAreShort(t *testing.T) {
	for _, lives := range []time.Duration{rtt + rtt/4, 2*rtt - 1, 3 * rtt, 6 * rtt} {
		r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
			if m.Topic == "health" {
				return withhold
			}
			return acknowledge
		}}
		bubble(t, r, func(g *rig) {
			g.cfg.Born = func() { g.bridge.Say(heartbeat()) }
			g.queue.Close()
			g.open()
			g.run()
			for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); {
				if last := r.last(); last != nil && last.Err() == nil {
					time.Sleep(time.Until(last.began.Add(lives)))
					last.end(io.EOF, false)
				}
				pass(50 * time.Millisecond)
			}
			r.mu.Lock()
			r.judge = nil
			r.mu.Unlock()
			pass(5 * time.Minute)
			if !g.bridge.Say(heartbeat()) {
				t.Errorf("connections of %v: nothing is said any more", lives)
			}
		})
	}
}

// TestNobodyMaySayNorSend: a broker that hangs up on health and on one message of
// the queue.
func TestNobodyMaySayNorSend(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "health" || string(m.Payload) == "4" {
			return hangUp
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.cfg.Born = func() { g.bridge.Say(heartbeat()) }
		g.queue.Close()
		g.open()
		g.offer(1, 8)
		g.run()
		pass(10 * time.Minute)
		if q := g.telemetry(); q.Delivered != 6 || q.Dead != 1 || !g.bridge.Stats().Connected {
			t.Errorf("queue %+v, stats %+v", q, g.bridge.Stats())
		}
	})
}

// TestSayKeepsNoConnection: heartbeats are no reason for one that is only there
// while it is needed.
func TestSayKeepsNoConnection(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.cfg.Duty = bridge.Duty{Needed: true, Linger: 10 * time.Second}
		g.queue.Close()
		g.open()
		g.offer(1, 2)
		g.run()
		for range 10 {
			pass(4 * time.Second)
			g.bridge.Say(heartbeat())
		}
		if g.bridge.Stats().Connected {
			t.Error("still connected")
		}
		arrivals := r.received()
		if last := arrivals[len(arrivals)-1].message; string(last.Payload) != "offline 1 idle" {
			t.Errorf("last words %s", last.Payload)
		}
	})
}
