package bridge_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
)

const rtt = 600 * time.Millisecond

func TestBirthComesFirst(t *testing.T) {
	held := true
	r := &remote{rtt: rtt, judge: func(conn int, m topic.Message) verdict {
		if conn == 1 && held {
			return withhold
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.offer(1, 4)
		g.run()
		<-g.bridge.Ready()
		pass(10 * time.Second)
		if got := line(r.received(), false); got != "1:online 1 start" {
			t.Errorf("before the PUBACK of the birth arrived: %s", got)
		}
		if s := g.bridge.Stats(); s.Connected {
			t.Error("connected without the PUBACK of the birth")
		}
		pass(10 * time.Second) // the watchdog ends the first connection
		want := "1:online 1 start, 2:online 2 start, 2:1, 2:2, 2:3"
		if got := line(r.received(), false); got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		for i, will := range r.wills {
			if want := say("lost", uint64(i+1), ""); string(will.Payload) != string(want.Payload) || !will.Retain {
				t.Errorf("will of connection %d: %q", i+1, will.Payload)
			}
		}
		if s := g.bridge.Stats(); !s.Connected || s.Conn != 2 || s.Stalls != 1 || s.Reconnects != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestResendsFromTheCursor(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(conn int, m topic.Message) verdict {
		if conn == 1 && string(m.Payload) == "5" {
			return withhold
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.offer(1, 9)
		g.run()
		pass(2 * time.Second)
		r.last().end(errCut, false)
		g.offer(9, 11)
		pass(5 * time.Second)
		want := "1:1, 1:2, 1:3, 1:4, 1:5, 1:6, 1:7, 1:8, 2:5, 2:6, 2:7, 2:8, 2:9, 2:10"
		if got := line(r.received(), true); got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if got := line(r.received(), false); !strings.Contains(got, "2:online 2 reconnect") {
			t.Errorf("arrived: %s", got)
		}
		s := g.bridge.Stats()
		if s.Sent != 14 || s.Delivered != 10 || s.Resent != 4 || s.Reconnects != 1 || s.InFlight != 0 || s.InFlightBytes != 0 {
			t.Errorf("stats %+v", s)
		}
		if s.RTTMin != rtt || s.RTT != rtt || s.LastError != errCut.Error() || s.LastErrorAt.IsZero() {
			t.Errorf("stats %+v", s)
		}
		if q := s.Queue; q.Appended != 10 || q.Delivered != 10 || q.Backlog != 0 || q.Lost != 0 {
			t.Errorf("queue %+v", q)
		}
	})
}

func TestContinuesAfterARestart(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.offer(1, 4)
		g.run()
		pass(3 * time.Second)
		g.stop()
		g.open()
		g.offer(4, 6)
		g.run()
		pass(3 * time.Second)
		if got := line(r.received(), true); got != "1:1, 1:2, 1:3, 2:4, 2:5" {
			t.Errorf("arrived: %s", got)
		}
	})
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "state" {
			return acknowledge
		}
		return withhold
	}}
	bubble(t, r, func(g *rig) {
		g.offer(1, 301)
		g.run()
		pass(5 * time.Second)
		if s := g.bridge.Stats(); s.InFlight != 100 || s.Window != 16<<10 {
			t.Errorf("%d messages in flight, window %d", s.InFlight, s.Window)
		}
		r.last().end(errCut, false)
		pass(5 * time.Second)
		if s := g.bridge.Stats(); s.Resent != 100 || s.Delivered != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestWatchdogEndsASilentConnection(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(conn int, m topic.Message) verdict {
		if conn == 1 && string(m.Payload) == "3" {
			return withhold
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(time.Minute) // idle: nothing is owed
		g.offer(1, 3)
		pass(time.Minute)
		if s := g.bridge.Stats(); s.Stalls != 0 || s.Conn != 1 {
			t.Fatalf("idle connection ended: %+v", s)
		}
		g.offer(3, 4)
		owed := time.Now()
		<-r.last().lost
		if d := time.Since(owed); d != 10*time.Second {
			t.Errorf("given up after %v, want 10 s", d)
		}
		pass(5 * time.Second)
		if got := line(r.received(), true); got != "1:1, 1:2, 1:3, 2:3" {
			t.Errorf("arrived: %s", got)
		}
		if s := g.bridge.Stats(); s.Stalls != 1 || !strings.Contains(s.LastError, "no PUBACK for 10s, 1 messages owed") {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestUnreadableLaneLetsWhatIsOwedLand(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		g.offer(1, 4)
		pass(rtt / 2)
		g.queue.Close()
		pass(rtt / 2)
		s := g.bridge.Stats()
		if s.Delivered != 3 || s.Connected || !strings.Contains(s.LastError, "read queue") {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRetriesWithBackoff(t *testing.T) {
	r := &remote{rtt: 0, refuse: func(dial int) bool { return dial <= 12 || dial >= 14 }}
	bubble(t, r, func(g *rig) {
		var log bytes.Buffer
		g.stop()
		g.log = &log
		g.open()
		g.run()
		pass(8 * time.Minute)
		if n := strings.Count(log.String(), errRefused.Error()); n != 1 {
			t.Errorf("the same failure was logged %d times:\n%s", n, &log)
		}
		r.last().end(errCut, false)
		pass(time.Minute)
		most := 500 * time.Millisecond
		for i := 1; i < len(r.dials); i++ {
			if i == 13 { // lost after living long enough to start anew
				most = time.Second
				continue
			}
			if d := r.dials[i].Sub(r.dials[i-1]); d < most/2 || d > most {
				t.Errorf("attempt %d after %v, want %v to %v", i+1, d, most/2, most)
			}
			most = min(2*most, time.Minute)
		}
		if len(r.dials) < 18 {
			t.Errorf("%d attempts", len(r.dials))
		}
	})
}

func TestShortConnectionsBackOff(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "v" {
			return hangUp
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		var log bytes.Buffer
		g.stop()
		g.log = &log
		g.open()
		g.offer(1, 3)
		g.run()
		pass(time.Hour)
		s := g.bridge.Stats()
		if s.Conn < 60 || s.Conn > 135 {
			t.Errorf("%d connections in an hour", s.Conn)
		}
		if s.Suspects != 1 || s.Queue.Backlog != 2 {
			t.Errorf("stats %+v", s)
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "seq=1 topic=v") {
			t.Errorf("the suspect was reported %d times:\n%s", n, &log)
		}
		r.mu.Lock()
		r.judge = nil // the broker learned to bear it
		r.mu.Unlock()
		pass(2 * time.Minute)
		if s := g.bridge.Stats(); s.Queue.Backlog != 0 || s.Delivered != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRules(t *testing.T) {
	rules := []bridge.Rule{
		{Match: "legacy/#", Drop: true},
		{Match: "plant/+/alarm", To: "urgent/{topic}"},
		{Match: "plant/#", Exclude: []string{"plant/+/raw", "plant/secret/#"}, To: "acme/{topic}"},
		{Match: "plant/+/raw", To: "{topic}/copy-of/{topic}"},
		{Match: "+/meter"},
	}
	for _, tt := range []struct{ from, to string }{
		{"plant/boiler/temp", "acme/plant/boiler/temp"},
		{"plant/boiler/alarm", "urgent/plant/boiler/alarm"}, // once, by the first rule
		{"plant", "acme/plant"},
		{"plant/boiler/raw", "plant/boiler/raw/copy-of/plant/boiler/raw"},
		{"plant/secret/x", ""},
		{"legacy/meter", ""},
		{"site/meter", "site/meter"},
		{"other", ""},
		{"$SYS/meter", ""},
		{"$plant/meter", ""},
	} {
		r := &remote{}
		bubble(t, r, func(g *rig) {
			g.cfg.Send = rules
			g.stop()
			g.open()
			wait, err := g.bridge.Offer(topic.Message{Topic: tt.from, Payload: []byte("x"), Retain: true})
			if err != nil {
				t.Fatal(err)
			}
			if (wait == nil) != (tt.to == "") {
				t.Fatalf("%s: taken %v", tt.from, wait != nil)
			}
			g.run()
			pass(time.Second)
			var got string
			for _, a := range r.received()[1:] {
				if got += a.message.Topic; !a.message.Retain || string(a.message.Payload) != "x" {
					t.Errorf("%s arrived as %+v", tt.from, a.message)
				}
			}
			if got != tt.to {
				t.Errorf("%s: sent to %q, want %q", tt.from, got, tt.to)
			}
		})
	}
}

func TestOfferReportsARefusal(t *testing.T) {
	bubble(t, &remote{}, func(g *rig) {
		g.queue.Close()
		if wait, err := g.bridge.Offer(numbered(1)); err == nil || wait != nil || !strings.Contains(err.Error(), "bridge cloud") {
			t.Errorf("Offer: %v", err)
		}
	})
	bubble(t, &remote{}, func(g *rig) {
		g.cfg.Send[0].To = strings.Repeat("x", topic.MaxBytes) + "/{topic}"
		g.stop()
		g.open()
		if _, err := g.bridge.Offer(numbered(1)); err == nil {
			t.Error("a topic that MQTT cannot carry was taken")
		}
	})
}

func TestNames(t *testing.T) {
	b := bridge.New(bridge.Config{ID: "cloud"}, nil, nil, slog.New(slog.DiscardHandler))
	if b.ID() != "cloud" || b.String() != "bridge cloud" {
		t.Errorf("ID %q, String %q", b.ID(), b)
	}
}
