package bridge_test

import (
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
// through all the same.
func TestNobodyMaySay(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "health" {
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
		if g.bridge.Say(heartbeat()) || !g.bridge.Stats().Connected {
			t.Errorf("still said, or not connected: %+v", g.bridge.Stats())
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
