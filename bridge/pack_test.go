package bridge_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/bridge/envelope"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// packed does f in a bubble with a rig whose messages travel in envelopes.
func packed(t *testing.T, r *remote, f func(g *rig)) {
	bubble(t, r, func(g *rig) {
		g.stop()
		g.cfg.Envelopes = bridge.Envelopes{To: "envelopes", Gateway: "gw", Age: 10 * time.Second, Size: 16 << 10}
		g.cfg.Send = []bridge.Rule{{Match: "alarm", Lane: queue.Alarm}, {Match: "#"}}
		g.open()
		f(g)
	})
}

// inside returns what is in the envelope m; nil: it is none.
func inside(m topic.Message) *envelope.Envelope {
	if m.Topic != "envelopes" {
		return nil
	}
	e, err := envelope.Open(m.Payload)
	if err != nil {
		panic(err)
	}
	return e
}

// holds reports whether a message in m has the payload.
func holds(m topic.Message, payload string) bool {
	e := inside(m)
	if e == nil {
		return false
	}
	for _, m := range e.Messages {
		if string(m.Payload) == payload {
			return true
		}
	}
	return false
}

// unpacked writes arrivals as "conn:lane[numbers]" where they are envelopes, else
// as "conn:payload".
func unpacked(arrivals []arrival) string {
	var words []string
	for _, a := range arrivals {
		e := inside(a.message)
		if e == nil {
			words = append(words, fmt.Sprintf("%d:%s", a.conn, a.message.Payload))
			continue
		}
		var payloads [][]byte
		for _, m := range e.Messages {
			payloads = append(payloads, m.Payload)
		}
		words = append(words, fmt.Sprintf("%d:%s[%s]", a.conn, e.Lane, bytes.Join(payloads, []byte(" "))))
	}
	return strings.Join(words, ", ")
}

func (g *rig) want(want string) {
	g.Helper()
	if got := unpacked(g.remote.received()); got != want {
		g.Errorf("arrived: %s\n    want: %s", got, want)
	}
}

func TestEnvelopeLeavesWhenItIsOld(t *testing.T) {
	packed(t, &remote{rtt: rtt}, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		g.offer(1, 3)
		pass(5 * time.Second)
		g.offer(3, 5)
		pass(4 * time.Second)
		g.want("1:online 1 start")
		pass(6*time.Second + rtt) // the first is 10 s old
		g.want("1:online 1 start, 1:telemetry[1 2 3 4]")
		s := g.bridge.Stats()
		if s.Sent != 4 || s.Delivered != 4 || s.Resent != 0 || s.InFlight != 0 {
			t.Errorf("stats %+v", s)
		}
		if q := g.telemetry(); q.Delivered != 4 || q.Backlog != 0 || q.Balance() != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

func TestAlarmDoesNotWaitForCompany(t *testing.T) {
	packed(t, &remote{rtt: rtt}, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		g.offer(1, 3)
		if _, err := g.bridge.Offer(topic.Message{Topic: "alarm", Payload: []byte("fire"), QoS: 1}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second + rtt)
		g.want("1:online 1 start, 1:alarm[fire]")
		pass(10 * time.Second)
		g.want("1:online 1 start, 1:alarm[fire], 1:telemetry[1 2]")
	})
}

// TestEnvelopesAreBounded: a backlog leaves in envelopes that fit twice into the
// window, each as full as can be.
func TestEnvelopesAreBounded(t *testing.T) {
	const n = 3000
	packed(t, &remote{rtt: rtt}, func(g *rig) {
		g.offer(1, n+1)
		g.run()
		pass(time.Minute)
		next, count := uint64(1), 0
		for _, a := range g.remote.received() {
			e := inside(a.message)
			if e == nil {
				continue
			}
			if e.First != next || len(a.message.Payload) > 4<<10 {
				t.Errorf("envelope of %d bytes from %d on, want %d", len(a.message.Payload), e.First, next)
			}
			next = e.End()
			count++
		}
		if next != n+1 || count > 8 {
			t.Errorf("%d messages arrived in %d envelopes", next-1, count)
		}
		if q := g.telemetry(); q.Delivered != n || q.Balance() != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// TestEnvelopeIsSentAgain: a message has the name that it had, on another
// connection and in another process; what comes in later has another epoch.
func TestEnvelopeIsSentAgain(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(conn int, m topic.Message) verdict {
		if conn < 3 && inside(m) != nil {
			return withhold
		}
		return acknowledge
	}}
	packed(t, r, func(g *rig) {
		g.offer(1, 4)
		g.run()
		pass(13 * time.Second)
		r.last().end(errCut, false)
		pass(14 * time.Second)
		if s := g.bridge.Stats(); s.Resent != 3 || s.Delivered != 0 {
			t.Errorf("stats %+v", s)
		}
		g.stop()
		g.open()
		g.offer(4, 6)
		g.run()
		pass(25 * time.Second)
		g.want("1:online 1 start, 1:telemetry[1 2 3], 2:online 2 reconnect, 2:telemetry[1 2 3], 2:offline 2 shutdown, " +
			"3:online 1 start, 3:telemetry[1 2 3], 3:telemetry[4 5]")
		var epochs []uint64
		for _, a := range r.received() {
			if e := inside(a.message); e != nil {
				epochs = append(epochs, e.Epoch)
			}
		}
		if epochs[0] != epochs[1] || epochs[1] != epochs[2] || epochs[2] == epochs[3] {
			t.Errorf("epochs %x", epochs)
		}
		if q := g.telemetry(); q.Delivered != 5 || q.Balance() != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// TestPoisonInAnEnvelope: of all that travel together, the one that upstream does
// not bear is found and set aside.
func TestPoisonInAnEnvelope(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if holds(m, "13") {
			return hangUp
		}
		return acknowledge
	}}
	packed(t, r, func(g *rig) {
		g.offer(1, 31)
		g.run()
		pass(5 * time.Minute)
		arrived := map[string]int{}
		for _, a := range r.received() {
			if e := inside(a.message); e != nil && !holds(a.message, "13") {
				for _, m := range e.Messages {
					arrived[string(m.Payload)]++
				}
			}
		}
		for i := range 30 {
			if want := min(1, (i+1)^13); arrived[fmt.Sprint(i+1)] != want {
				t.Errorf("%d arrived %d times, want %d", i+1, arrived[fmt.Sprint(i+1)], want)
			}
		}
		if q := g.telemetry(); q.Delivered != 29 || q.Dead != 1 || q.Balance() != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

// TestGapBetweenEnvelopes: what is lost is told where it was, and numbers in an
// envelope have no gap.
func TestGapBetweenEnvelopes(t *testing.T) {
	packed(t, &remote{rtt: rtt}, func(g *rig) {
		g.offer(1, 5)
		if _, err := g.lane.Drop(3); err != nil {
			t.Fatal(err)
		}
		g.run()
		pass(15 * time.Second)
		g.want("1:online 1 start, 1:2 of telemetry, 1:telemetry[3 4]")
	})
}

// TestMessagesWithoutEpochGoPlain: those that came in before envelopes were
// switched on.
func TestMessagesWithoutEpochGoPlain(t *testing.T) {
	bubble(t, &remote{rtt: rtt}, func(g *rig) {
		g.offer(1, 3)
		g.stop()
		g.cfg.Envelopes = bridge.Envelopes{To: "envelopes", Gateway: "gw", Age: 10 * time.Second, Size: 16 << 10}
		g.open()
		g.offer(3, 5)
		g.run()
		pass(15 * time.Second)
		g.want("1:online 1 start, 1:1, 1:2, 1:telemetry[3 4]")
	})
}

// TestEnvelopesWhenNeeded: a connection that is only there while it is needed does
// not wait for company.
func TestEnvelopesWhenNeeded(t *testing.T) {
	bubble(t, &remote{rtt: rtt}, func(g *rig) {
		g.stop()
		g.cfg.Envelopes = bridge.Envelopes{To: "envelopes", Gateway: "gw", Age: time.Hour, Size: 16 << 10}
		g.cfg.Duty = bridge.Duty{Needed: true, Linger: 5 * time.Second}
		g.open()
		g.offer(1, 4)
		g.run()
		pass(15 * time.Second)
		g.want("1:online 1 start, 1:telemetry[1 2 3], 1:offline 1 idle")
	})
}

// TestLateInEnvelopes: live first holds in envelopes too, and what is overtaken
// goes to its other topic there.
func TestLateInEnvelopes(t *testing.T) {
	r := &remote{rtt: rtt}
	packed(t, r, func(g *rig) {
		g.stop()
		g.cfg.LiveFirst, g.cfg.LateTo = []queue.Name{queue.Telemetry}, "late/{topic}"
		g.cfg.Envelopes.Age = time.Second
		r.setGone(true)
		g.open()
		g.run()
		g.offer(1, 4)
		pass(time.Minute)
		r.refuse = func(int) bool { g.offer(4, 5); r.refuse = nil; return false }
		r.setGone(false)
		pass(30 * time.Second)
		g.offer(5, 6)
		pass(10 * time.Second)
		late := 0
		for _, a := range r.received() {
			if e := inside(a.message); e != nil {
				for _, m := range e.Messages {
					if m.Topic == "late/v" {
						late++
					}
				}
			}
		}
		if s := g.bridge.Stats(); uint64(late) != s.Late || s.Delivered != 5 {
			t.Errorf("%d late messages arrived, stats %+v", late, s)
		}
	})
}
