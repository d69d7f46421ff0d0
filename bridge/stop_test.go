package bridge_test

import (
	"testing"
	"time"

	"sluice/broker/topic"
)

func TestStopSaysFarewell(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		g.offer(1, 3)
		pass(100 * time.Millisecond) // both are on their way
		took := g.stop()
		if got, want := line(r.received(), false), "1:online 1 start, 1:1, 1:2, 1:offline 1 shutdown"; got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if took != rtt { // for the farewell and its PUBACK
			t.Errorf("stop took %v", took)
		}
		if s := g.bridge.Stats(); !r.last().parted || s.Delivered != 2 || s.Connected {
			t.Errorf("DISCONNECT %v, stats %+v", r.last().parted, s)
		}
	})
}

// TestLastWordsLeave: what came in right before the stop is still being committed
// then, and leaves before the farewell.
func TestLastWordsLeave(t *testing.T) {
	r := &remote{rtt: rtt}
	bubble(t, r, func(g *rig) {
		g.run()
		pass(5 * time.Second)
		if _, err := g.bridge.Offer(numbered(1)); err != nil {
			t.Fatal(err)
		}
		took := g.stop()
		if got, want := line(r.received(), false), "1:online 1 start, 1:1, 1:offline 1 shutdown"; got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if took > rtt+500*time.Millisecond || !r.last().parted {
			t.Errorf("stop took %v, DISCONNECT %v", took, r.last().parted)
		}
	})
}

func TestStopIsBoundedWhenUpstreamIsSilent(t *testing.T) {
	r := &remote{rtt: rtt, judge: func(_ int, m topic.Message) verdict {
		if m.Topic == "state" {
			return acknowledge
		}
		return withhold
	}}
	bubble(t, r, func(g *rig) {
		g.offer(1, 10)
		g.run()
		pass(5 * time.Second)
		if took := g.stop(); took != 1500*time.Millisecond {
			t.Errorf("stop took %v, want 1.5 s", took)
		}
		if r.last().parted {
			t.Error("DISCONNECT without the PUBACK of the farewell")
		}
	})
}

func TestStopWithoutAConnection(t *testing.T) {
	for _, r := range []*remote{
		{rtt: time.Minute},                       // dialling
		{refuse: func(int) bool { return true }}, // waiting for the next attempt
	} {
		bubble(t, r, func(g *rig) {
			g.run()
			pass(10*time.Second + time.Millisecond)
			if took := g.stop(); took != 0 {
				t.Errorf("stop took %v", took)
			}
		})
	}
}

func TestStopDuringTheBirth(t *testing.T) {
	r := &remote{rtt: 200 * time.Millisecond}
	bubble(t, r, func(g *rig) {
		g.offer(1, 3)
		g.run()
		pass(450 * time.Millisecond)
		g.stop()
		if got, want := line(r.received(), false), "1:online 1 start, 1:offline 1 shutdown"; got != want {
			t.Errorf("arrived: %s\n    want: %s", got, want)
		}
		if !r.last().parted {
			t.Error("no DISCONNECT")
		}
	})
}
