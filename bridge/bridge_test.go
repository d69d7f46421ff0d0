package bridge_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

const (
	rtt      = 600 * time.Millisecond
	dialTime = 5 * time.Second // as in the package
)

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
		pass(3 * time.Second)
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
		if q := g.telemetry(); q.Appended != 10 || q.Delivered != 10 || q.Backlog != 0 || q.Lost != 0 {
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
		g.offer(1, 1501)
		g.run()
		pass(5 * time.Second)
		sent := g.bridge.Stats().InFlight
		if s := g.bridge.Stats(); s.Window != 8<<10 || s.InFlightBytes < s.Window || s.InFlightBytes > s.Window+12 {
			t.Errorf("%d bytes in flight, window %d", s.InFlightBytes, s.Window)
		}
		r.last().end(errCut, false)
		pass(5 * time.Second)
		if s := g.bridge.Stats(); s.Resent != uint64(sent) || s.Delivered != 0 {
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
		if d, want := time.Since(owed), 3*time.Second+rtt+rtt*3/2+500*time.Millisecond; d != want {
			t.Errorf("given up after %v, want %v: 3 s of doubt, a probe, and time to move", d, want)
		}
		pass(5 * time.Second)
		if got := line(r.received(), true); got != "1:1, 1:2, 1:3, 2:3" {
			t.Errorf("arrived: %s", got)
		}
		if s := g.bridge.Stats(); s.Stalls != 1 || !strings.Contains(s.LastError, "no PUBACK for 5s, 1 messages owed") {
			t.Errorf("stats %+v", s)
		}
	})
}

// While there is no other way either, the link is down and nothing is gained by
// dropping the connection; what waited on it then arrives, once.
func TestFadeIsSatOut(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		r.setGone(true)
		g.offer(1, 10)
		pass(40 * time.Second)
		r.setGone(false)
		pass(10 * time.Second)
		g.offer(10, 12)
		pass(5 * time.Second)
		want := "1:1, 1:2, 1:3, 1:4, 1:5, 1:6, 1:7, 1:8, 1:9, 1:10, 1:11"
		if got := line(r.received(), true); got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if s := g.bridge.Stats(); s.Stalls != 0 || s.Probes == 0 || s.Resent != 0 {
			t.Errorf("stats %+v", s)
		}
		if r.paths != 0 {
			t.Errorf("%d paths left open", r.paths)
		}
	})
}

// A half-open connection is found as soon as there is another way, which is then
// used: no second dial, no pause.
func TestHalfOpenIsReplaced(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.run()
		g.offer(1, 4)
		pass(8 * time.Second)
		r.last().deafen()
		r.setGone(true)
		g.offer(4, 10)
		pass(20 * time.Second)
		r.setGone(false)
		back := time.Now()
		for len(r.received()) < 11 { // two births, nine values
			pass(10 * time.Millisecond)
		}
		// the rest of an attempt that began without a way, a pause, the probe, time to
		// move, CONNECT, birth, half a round trip
		most := dialTime + time.Second + rtt + rtt*3/2 + 500*time.Millisecond + rtt + rtt + rtt/2
		if d := time.Since(back); d > most {
			t.Errorf("values again %v after the link, want %v at most", d, most)
		}
		if s := g.bridge.Stats(); s.Stalls != 1 || s.Conn != 2 {
			t.Errorf("stats %+v", s)
		}
		pass(10 * time.Second)
		if r.paths != 0 {
			t.Errorf("%d paths left open", r.paths)
		}
	})
}

// A broker that takes everything and acknowledges nothing but births is not
// called again and again.
func TestBrokerThatStopsAcknowledging(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "state" {
			return acknowledge
		}
		return withhold
	}}
	bubble(t, r, func(g *rig) {
		g.offer(1, 4)
		g.run()
		pass(time.Hour)
		if s := g.bridge.Stats(); s.Conn < 40 || s.Conn > 110 || s.Stalls < s.Conn-1 {
			t.Errorf("stats %+v", s)
		}
		if r.paths > 1 {
			t.Errorf("%d paths left open", r.paths)
		}
	})
}

func TestAlarmGoesFirst(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.cfg.Send = []bridge.Rule{{Match: "alarm", Lane: queue.Alarm}, {Match: "log", Lane: queue.Bulk}, {Match: "#"}}
		g.stop()
		g.open()
		if _, err := g.bridge.Offer(topic.Message{Topic: "log", Payload: []byte("b")}); err != nil {
			t.Fatal(err)
		}
		g.offer(1, 2001)
		g.run()
		pass(2*rtt + rtt + rtt/2) // the window is on its way
		if _, err := g.bridge.Offer(topic.Message{Topic: "alarm", Payload: []byte("a")}); err != nil {
			t.Fatal(err)
		}
		pass(5 * time.Second)
		all := line(r.received(), false)
		if a, last := strings.Index(all, ":a"), strings.Index(all, ":2000"); a < 0 || a > last || strings.Index(all, ":b") < last {
			t.Errorf("arrived: %s", all)
		}
	})
}

// What was lost is said upstream, once, in its place.
func TestLossIsReported(t *testing.T) {
	r := &remote{rtt: rtt, refuse: func(int) bool { return false }}
	bubble(t, r, func(g *rig) {
		g.limits = queue.Limits{MaxBytes: 4 << 20, WhenFull: queue.DropOldest}
		g.stop()
		g.open()
		for i := range 40 {
			m := numbered(i)
			m.Payload = append(m.Payload, make([]byte, 200_000)...)
			if _, err := g.bridge.Offer(m); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		lost := g.telemetry().Lost
		g.run()
		pass(time.Minute)
		got := r.received()
		if m := got[1].message; m.Topic != "lost" || string(m.Payload) != fmt.Sprintf("%d of telemetry", lost) {
			t.Errorf("first came %s %.20q, %d were lost", m.Topic, m.Payload, lost)
		}
		if n := number(got[2].message); uint64(n) != lost {
			t.Errorf("then message %d", n)
		}
		if len(got) != 2+40-int(lost) {
			t.Errorf("%d messages came, %d were lost", len(got), lost)
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

func TestLooksEagerlyForAWay(t *testing.T) {
	r := &remote{refuse: func(int) bool { return true }}
	bubble(t, r, func(g *rig) {
		var log bytes.Buffer
		g.stop()
		g.log = &log
		g.open()
		g.run()
		pass(10 * time.Minute)
		if n := strings.Count(log.String(), errRefused.Error()); n != 1 {
			t.Errorf("the same failure was logged %d times:\n%s", n, &log)
		}
		most := time.Second
		for i := 1; i < len(r.dials); i++ {
			d := r.dials[i].Sub(r.dials[i-1])
			if r.dials[i-1].Sub(r.dials[0]) < time.Minute {
				most = time.Second / 2
			} else {
				most = min(2*most, time.Minute)
			}
			if d < most/2 || d > most {
				t.Errorf("attempt %d after %v, want %v to %v", i+1, d, most/2, most)
			}
		}
		if len(r.dials) < 120 {
			t.Errorf("%d attempts", len(r.dials))
		}
	})
}

func TestBacksOffFromABrokerThatRefuses(t *testing.T) {
	r := &remote{deny: func(open int) bool { return open <= 8 }}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(3 * time.Minute)
		r.last().end(errCut, false)
		pass(time.Minute)
		most := 500 * time.Millisecond
		for i := 1; i < len(r.dials); i++ {
			if i == 9 { // lost after living long enough to start anew
				most = time.Second / 2
				continue
			}
			if d := r.dials[i].Sub(r.dials[i-1]); d < most/2 || d > most {
				t.Errorf("attempt %d after %v, want %v to %v", i+1, d, most/2, most)
			}
			most = min(2*most, time.Minute)
		}
		if len(r.dials) != 10 {
			t.Errorf("%d attempts", len(r.dials))
		}
	})
}

func TestLinkUpEndsTheWait(t *testing.T) {
	r := &remote{deny: func(open int) bool { return open <= 10 }}
	bubble(t, r, func(g *rig) {
		up := make(chan struct{}, 1)
		g.cfg.LinkUp = up
		g.stop()
		g.open()
		g.run()
		pass(2 * time.Minute)
		before := len(r.dials)
		up <- struct{}{}
		pass(time.Millisecond)
		if n := len(r.dials) - before; n != 1 {
			t.Errorf("%d attempts as the link came up", n)
		}
	})
}

// A message that upstream hangs up on must not hold up those behind it, nor take
// those before it along.
func TestPoisonIsSetAside(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if string(m.Payload) == "4" {
			return hangUp
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		var log bytes.Buffer
		g.stop()
		g.log = &log
		g.open()
		g.offer(1, 8)
		g.run()
		pass(time.Minute)
		got := line(r.received(), true)
		if !strings.HasSuffix(got, ":5, 7:6, 7:7") || strings.Count(got, ":4") < 3 {
			t.Errorf("arrived: %s", got)
		}
		for i := 1; i < 8; i++ {
			if i != 4 && !strings.Contains(got+",", fmt.Sprintf(":%d,", i)) {
				t.Errorf("message %d never arrived", i)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "seq=4 topic=v") {
			t.Errorf("the dead letter was reported %d times:\n%s", n, &log)
		}
		if s := g.bridge.Stats(); s.Backlog() != 0 || !s.Connected {
			t.Errorf("stats %+v", s)
		}
	})
}

// Nor may messages of another lane that get through, one on each connection, save
// it from the verdict.
func TestPoisonBehindOthersIsSetAside(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if string(m.Payload) == "4" {
			return hangUp
		}
		return acknowledge
	}}
	bubble(t, r, func(g *rig) {
		g.cfg.Send = []bridge.Rule{{Match: "alarm", Lane: queue.Alarm}, {Match: "#"}}
		alarms := 0
		g.cfg.Born = func() {
			alarms++
			if _, err := g.bridge.Offer(topic.Message{Topic: "alarm", Payload: []byte("alarm"), QoS: 1}); err != nil {
				t.Error(err)
			}
		}
		g.stop()
		g.open()
		g.offer(1, 8)
		g.run()
		pass(3 * time.Minute)
		if q := g.telemetry(); q.Delivered != 6 || q.Dead != 1 || q.Backlog != 0 {
			t.Errorf("after %d connections: queue %+v", alarms, q)
		}
		if q := g.queue.Lane(queue.Alarm).Stats(); int(q.Delivered) != alarms || q.Dead != 0 {
			t.Errorf("of %d alarms: %+v", alarms, q)
		}
	})
}

// Nor may an upstream that hangs up on everything empty the queue quickly, or be
// called all the time.
func TestShortConnectionsBackOff(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict { return hangUp }}
	bubble(t, r, func(g *rig) {
		g.offer(1, 3)
		g.run()
		pass(time.Hour)
		if s := g.bridge.Stats(); s.Conn < 60 || s.Conn > 135 || s.Backlog() != 2 {
			t.Errorf("%d connections in an hour, backlog %d", s.Conn, s.Backlog())
		}
		r.mu.Lock()
		r.judge = nil // the broker learned to bear it
		r.mu.Unlock()
		pass(2 * time.Minute)
		if s := g.bridge.Stats(); s.Backlog() != 0 || s.Delivered != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// Where all connections end after the same time, whatever is on its way, that is no
// reason to set messages aside.
func TestNoDeadLettersWhereConnectionsAreShort(t *testing.T) {
	for _, lives := range []time.Duration{rtt + rtt/4, rtt + rtt/2, 2*rtt - 1} { // the first message leaves after one rtt
		bubble(t, &remote{rtt: rtt}, func(g *rig) {
			g.offer(1, 20)
			g.run()
			for end := time.Now().Add(time.Hour); time.Now().Before(end); {
				if last := g.remote.last(); last != nil && last.Err() == nil {
					time.Sleep(time.Until(last.began.Add(lives)))
					last.end(io.EOF, false)
				}
				pass(10 * time.Millisecond)
			}
			if s := g.telemetry(); s.Backlog != 19 || s.Dead != 0 {
				t.Errorf("connections of %v: %+v", lives, s)
			}
			pass(5 * time.Minute) // nothing ends them any more
			if s := g.telemetry(); s.Backlog != 0 || s.Dead != 0 {
				t.Errorf("after connections of %v: %+v", lives, s)
			}
		})
	}
}

func TestRules(t *testing.T) {
	rules := []bridge.Rule{
		{Match: "legacy/#", Drop: true},
		{Match: "plant/+/alarm", To: "urgent/{topic}"},
		{Match: "plant/#", Exclude: []string{"plant/+/raw", "plant/secret/#"}, To: "acme/{topic}"},
		{Match: "plant/+/raw", To: "{topic}/copy-of/{topic}"},
		{Match: "+/meter"},
		{Match: "hall/#", Strip: "hall/", To: "acme/{topic}"},
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
		{"hall/7/temp", "acme/7/temp"},
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

func TestRetainIsTakenOff(t *testing.T) {
	r := &remote{}
	bubble(t, r, func(g *rig) {
		g.cfg.Send = []bridge.Rule{{Match: "plain", Plain: true}, {Match: "#"}}
		g.stop()
		g.open()
		for _, name := range []string{"plain", "kept"} {
			if _, err := g.bridge.Offer(topic.Message{Topic: name, Retain: true}); err != nil {
				t.Fatal(err)
			}
		}
		g.run()
		pass(time.Second)
		if got := r.received(); got[1].message.Retain || !got[2].message.Retain {
			t.Errorf("arrived: %+v", got[1:])
		}
	})
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
	bubble(t, &remote{}, func(g *rig) {
		if b := g.bridge; b.ID() != "cloud" || b.String() != "bridge cloud" {
			t.Errorf("ID %q, String %q", b.ID(), b)
		}
	})
}
