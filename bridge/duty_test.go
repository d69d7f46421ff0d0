package bridge_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sluice/bridge"
	"sluice/bridge/budget"
	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// dutiful returns a rig with three lanes, and what cfg changes.
func dutiful(t *testing.T, r *remote, change func(*bridge.Config), f func(g *rig)) {
	bubble(t, r, func(g *rig) {
		g.stop()
		g.cfg.Send = []bridge.Rule{{Match: "alarm", Lane: queue.Alarm}, {Match: "bulk", Lane: queue.Bulk}, {Match: "#"}}
		change(&g.cfg)
		g.open()
		g.run()
		f(g)
	})
}

// tell offers one message and waits until it is on flash.
func (g *rig) tell(name, payload string) {
	g.Helper()
	wait, err := g.bridge.Offer(topic.Message{Topic: name, Payload: []byte(payload), QoS: 1})
	if err != nil {
		g.Fatal(err)
	}
	if err := wait(g.Context()); err != nil {
		g.Fatal(err)
	}
}

// arrived checks everything that the remote broker has received.
func (g *rig) arrived(want string) {
	g.Helper()
	if got := line(g.remote.received(), false); got != want {
		g.Errorf("arrived: %s\n    want: %s", got, want)
	}
}

func TestConnectsWhenNeeded(t *testing.T) {
	dutiful(t, &remote{rtt: rtt}, func(c *bridge.Config) { c.Duty = bridge.Duty{Needed: true, Linger: 10 * time.Second} }, func(g *rig) {
		pass(time.Hour)
		if n := len(g.remote.dials); n != 0 {
			t.Errorf("%d attempts with nothing to send", n)
		}
		g.tell("v", "1")
		pass(5 * time.Second)
		g.tell("v", "2") // within the linger time
		pass(time.Minute)
		g.arrived("1:online 1 start, 1:1, 1:2, 1:offline 1 idle")
		if s := g.bridge.Stats(); s.Connected || s.LastError != "" || !g.remote.last().parted {
			t.Errorf("stats %+v", s)
		}
		g.tell("bulk", "3")
		pass(time.Minute)
		g.arrived("1:online 1 start, 1:1, 1:2, 1:offline 1 idle, 2:online 2 reconnect, 2:3, 2:offline 2 idle")
	})
}

func TestSlots(t *testing.T) {
	halfHour := func(now time.Time) time.Time { return now.Truncate(30 * time.Minute).Add(30 * time.Minute) }
	dutiful(t, &remote{rtt: rtt}, func(c *bridge.Config) {
		c.Duty = bridge.Duty{Next: halfHour, Slot: 10 * time.Minute, Linger: 10 * time.Second}
	}, func(g *rig) { // begins at midnight, which began a slot
		pass(11 * time.Minute)
		g.tell("v", "1")
		pass(10 * time.Minute)
		g.arrived("")
		g.tell("alarm", "fire")
		pass(time.Minute)
		alarm := "1:online 1 start, 1:fire, 1:offline 1 idle"
		g.arrived(alarm)
		pass(9 * time.Minute) // 00:31
		slot := alarm + ", 2:online 2 reconnect, 2:1, 2:offline 2 idle"
		g.arrived(slot)
		g.tell("v", "2") // the slot is used up
		pass(28 * time.Minute)
		g.arrived(slot)
		pass(2 * time.Minute) // 01:01
		g.arrived(slot + ", 3:online 3 reconnect, 3:2, 3:offline 3 idle")
	})
}

// TestSlotEnds has more to send than fits into a slot.
func TestSlotEnds(t *testing.T) {
	hour := func(now time.Time) time.Time { return now.Truncate(time.Hour).Add(time.Hour) }
	dutiful(t, &remote{rtt: rtt}, func(c *bridge.Config) {
		c.Duty, c.Rate = bridge.Duty{Next: hour, Slot: time.Minute, Linger: 10 * time.Second}, bridge.Rate{Messages: 1}
	}, func(g *rig) {
		pass(30 * time.Minute)
		g.offer(1, 201)
		pass(40 * time.Minute)
		got := len(g.remote.received())
		if s := g.bridge.Stats(); s.Connected || got < 58 || got > 63 || s.Resent != 0 {
			t.Errorf("%d arrived, stats %+v", got, s)
		}
	})
}

func TestRate(t *testing.T) {
	for _, tt := range []struct {
		rate   bridge.Rate
		lo, hi int // of 1000 messages in ten seconds
	}{
		{bridge.Rate{}, 1000, 1000},
		{bridge.Rate{Messages: 20}, 198, 204},
		{bridge.Rate{Bytes: 1000}, 825, 850}, // of 12 bytes
		{bridge.Rate{Messages: 20, Bytes: 100}, 82, 88},
	} {
		r := &remote{rtt: 20 * time.Millisecond}
		dutiful(t, r, func(c *bridge.Config) { c.Rate = tt.rate }, func(g *rig) {
			pass(time.Second)
			g.offer(1000, 2000)
			began := time.Now()
			pass(10*time.Second - time.Since(began))
			n := len(g.remote.received()) - 1
			if n < tt.lo || n > tt.hi {
				t.Errorf("%+v: %d arrived, want %d to %d", tt.rate, n, tt.lo, tt.hi)
			}
			pass(2 * time.Minute)
			if s := g.bridge.Stats(); s.Backlog() != 0 || s.Stalls != 0 || s.Resent != 0 {
				t.Errorf("%+v: stats %+v", tt.rate, s)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	var b *budget.Budget
	dutiful(t, &remote{rtt: rtt}, func(c *bridge.Config) {
		var err error
		if b, err = budget.Open(budget.Config{File: filepath.Join(t.TempDir(), "b.json"), Month: 1e6, Day: 1}, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		c.Budget, c.Duty.Linger = b, 10*time.Second
	}, func(g *rig) {
		tell := func() {
			g.tell("bulk", "b")
			g.tell("v", "v")
			g.tell("alarm", "a")
			pass(time.Minute)
		}
		tell()
		first := "1:online 1 start, 1:a, 1:v, 1:b"
		g.arrived(first)
		b.Spend(9e5)
		pass(time.Minute)
		tell()
		tight := first + ", 1:v, 1:a"
		g.arrived(tight)
		b.Spend(1e5)
		pass(time.Minute)
		spent := tight + ", 1:offline 1 idle"
		g.arrived(spent)
		if s := g.bridge.Stats(); s.BudgetUsed != 1e6 || s.Budget != 1e6 {
			t.Errorf("stats %+v", s)
		}
		tell()
		spent += ", 2:online 2 reconnect, 2:a, 2:offline 2 idle"
		g.arrived(spent)
		pass(31 * 24 * time.Hour) // of the year 2000, January
		g.arrived(spent + ", 3:online 3 reconnect, 3:v, 3:b, 3:b")
	})
}
