package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// live makes the rig send new messages of telemetry first.
func (g *rig) live() {
	g.cfg.LiveFirst, g.cfg.LateTo = []queue.Name{queue.Telemetry}, "late/{topic}"
	g.stop()
	g.open()
}

// say offers retained messages, written as "topic=payload", and waits until they
// are on flash.
func (g *rig) say(messages string) {
	g.Helper()
	for m := range strings.FieldsSeq(messages) {
		name, payload, _ := strings.Cut(m, "=")
		wait, err := g.bridge.Offer(topic.Message{Topic: name, Payload: []byte(payload), QoS: 1, Retain: true})
		if err != nil {
			g.Fatal(err)
		}
		if err := wait(g.Context()); err != nil {
			g.Fatal(err)
		}
	}
}

// heard returns what arrived, apart from states; what is not retained in brackets.
func (r *remote) heard() string {
	var words []string
	for _, a := range r.received() {
		m := fmt.Sprintf("%s=%s", a.message.Topic, a.message.Payload)
		if a.message.Topic == "state" {
			continue
		}
		if !a.message.Retain {
			m = "(" + m + ")"
		}
		words = append(words, m)
	}
	return strings.Join(words, " ")
}

// until lets time go by until the bridge is as wanted.
func (g *rig) until(ok func(bridge.Stats) bool) {
	g.Helper()
	for range 10_000 {
		if ok(g.bridge.Stats()) {
			return
		}
		pass(time.Millisecond)
	}
	g.Fatalf("stats %+v", g.bridge.Stats())
}

// slow acknowledges no message while it is stuck.
func slow(stuck *bool) func(int, topic.Message) verdict {
	return func(_ int, m topic.Message) verdict {
		if *stuck && m.Topic != "state" {
			return withhold
		}
		return acknowledge
	}
}

// A topic never goes back in time: what a newer message has overtaken goes to the
// topic of late ones. A topic without news goes on as ever.
func TestLiveFirst(t *testing.T) {
	stuck := true
	r := &remote{rtt: rtt, judge: slow(&stuck)}
	bubble(t, r, func(g *rig) {
		g.live()
		big := strings.Repeat("x", 9000) // fills the window
		g.say("a=" + big + " a=2 b=3 a=4")
		g.run()
		pass(3 * rtt)
		g.say("a=5 c=6")
		r.mu.Lock()
		stuck = false
		r.mu.Unlock()
		r.last().end(errCut, false)
		pass(100 * time.Millisecond) // what was on its way comes again, as part of the backlog
		g.until(func(s bridge.Stats) bool { return s.Connected })
		g.say("a=7")
		pass(time.Minute)
		got := strings.ReplaceAll(r.heard(), big, "1")
		if want := "a=1 a=1 a=7 (late/a=2) b=3 (late/a=4) (late/a=5) c=6"; got != want {
			t.Errorf("arrived: %s, want %s", got, want)
		}
		if s := g.bridge.Stats(); s.Late != 3 || s.Resent != 1 || s.Backlog() != 0 {
			t.Errorf("stats %+v", s)
		}
		g.say("a=8 c=9")
		pass(time.Minute)
		if got := r.heard(); !strings.HasSuffix(got, " a=8 c=9") {
			t.Errorf("arrived in the end: %s", got)
		}
	})
}

// After a restart nobody knows on which topics live messages went first: what was
// in the queue before the last of them is late.
func TestLiveFirstOverARestart(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.live()
		big := strings.Repeat("x", 20_000)
		g.say("a=" + big + strings.Repeat(" b="+big, 6) + " a=" + big + " a=2")
		g.run()
		g.until(func(s bridge.Stats) bool { return s.Connected })
		g.say("b=3")
		g.until(func(s bridge.Stats) bool { return s.Delivered >= 2 })
		g.stop()
		g.open()
		g.run()
		pass(time.Minute)
		got := strings.ReplaceAll(r.heard(), big, "1")
		if want := "a=1 b=3" + strings.Repeat(" (late/b=1)", 6) + " (late/a=1) (late/a=2)"; got != want {
			t.Errorf("arrived: %s, want %s", got, want)
		}
		if s := g.bridge.Stats(); s.Backlog() != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}
