package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/bridge"
)

const failBack = time.Minute

// twoWays returns a rig whose first broker is first, and the second is second.
func twoWays(t *testing.T, first, second *remote, f func(g *rig)) {
	bubble(t, first, func(g *rig) {
		g.stop()
		g.cfg.Failover, g.cfg.FailBack = []bridge.Dialer{second.dial}, failBack
		g.open()
		g.run()
		f(g)
	})
}

func TestFailoverAndBack(t *testing.T) {
	down := true
	first, second := &remote{rtt: rtt, refuse: func(int) bool { return down }}, &remote{rtt: rtt}
	twoWays(t, first, second, func(g *rig) {
		n := 1
		offer := func(until time.Duration) {
			for range until / (100 * time.Millisecond) {
				g.offer(n, n+1)
				n++
				time.Sleep(100 * time.Millisecond)
			}
		}
		offer(failBack + 10*time.Second) // the first is tried in vain after a minute
		if s := g.bridge.Stats(); !s.Connected || s.Way != 1 || s.Conn != 1 {
			t.Errorf("stats %+v", s)
		}
		down = false
		offer(failBack)
		if s := g.bridge.Stats(); !s.Connected || s.Way != 0 || s.Conn != 2 {
			t.Errorf("stats %+v", s)
		}
		pass(5 * time.Second)
		next := 1
		for i, r := range []*remote{second, first} {
			for _, a := range r.received() {
				if a.message.Topic != "v" {
					continue
				}
				if want := fmt.Sprint(next); string(a.message.Payload) != want {
					t.Fatalf("broker %d received %s, want %s", 2-i, a.message.Payload, want)
				}
				next++
			}
		}
		if next != n {
			t.Errorf("%d of %d arrived", next-1, n-1)
		}
		if got := line(second.received(), false); !strings.HasPrefix(got, "1:online 1 start, ") || !strings.HasSuffix(got, ", 1:offline 1 failover") {
			t.Errorf("the second broker received %.40s ... %s", got, got[len(got)-40:])
		}
		if got := line(first.received(), false); !strings.HasPrefix(got, "1:online 2 failover, ") {
			t.Errorf("the first broker received %.40s", got)
		}
		if !second.last().parted {
			t.Error("the second broker was left without DISCONNECT")
		}
	})
}

// TestFailBackInVain has a preferred broker that lets connect, but begins no
// session: returns to it become ever rarer.
func TestFailBackInVain(t *testing.T) {
	first, second := &remote{rtt: rtt, deny: func(int) bool { return true }}, &remote{rtt: rtt}
	twoWays(t, first, second, func(g *rig) {
		for _, tt := range []struct {
			after time.Duration
			opens int
		}{{30 * time.Second, 1}, {failBack, 2}, {2 * failBack, 3}, {4 * failBack, 4}, {7 * failBack, 4}, {2 * failBack, 5}} {
			pass(tt.after)
			if first.opens != tt.opens {
				t.Errorf("%d sessions with the first broker, want %d", first.opens, tt.opens)
			}
			if s := g.bridge.Stats(); !s.Connected || s.Way != 1 {
				t.Errorf("stats %+v", s)
			}
		}
	})
}

// TestFailoverRounds has both brokers away: each round begins with the first.
func TestFailoverRounds(t *testing.T) {
	away := func(int) bool { return true }
	first, second := &remote{rtt: rtt, refuse: away}, &remote{rtt: rtt, refuse: away}
	twoWays(t, first, second, func(g *rig) {
		pass(30 * time.Second)
		if a, b := len(first.dials), len(second.dials); a < 15 || a != b && a != b+1 {
			t.Errorf("%d and %d attempts", a, b)
		}
		for i := range second.dials {
			if gap := second.dials[i].Sub(first.dials[i]); gap != rtt {
				t.Errorf("attempt %d: the second broker %v after the first", i, gap)
			}
		}
	})
}
