package presence_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/presence"
)

// upstream is a broker with some keepers on it, 100 ms away.
type upstream struct {
	mu       sync.Mutex
	keepers  map[*presence.Keeper]bool // connected
	retained map[string]topic.Message
	sent     []topic.Message
}

const away = 100 * time.Millisecond

func (u *upstream) publish(m topic.Message) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent = append(u.sent, m)
	if m.Retain {
		u.retained[m.Topic] = m
	}
	for k, up := range u.keepers {
		if up {
			m := m
			m.Retain = false
			time.AfterFunc(away, func() { k.Seen(m) })
		}
	}
}

// connect subscribes and publishes the birth, as a bridge does.
func (u *upstream) connect(k *presence.Keeper, conn uint64) {
	u.set(k, true)
	for _, name := range k.Filters() {
		u.mu.Lock()
		m, ok := u.retained[name]
		u.mu.Unlock()
		if ok {
			k.Seen(m)
		}
	}
	u.publish(k.Birth(conn, "start"))
	time.Sleep(away)
	k.Born()
	synctest.Wait()
}

func (u *upstream) keeper(t *testing.T, p *presence.Presence, every time.Duration) *presence.Keeper {
	var k *presence.Keeper
	k = p.Keeper(presence.KeeperConfig{
		Bridge: "cloud", Every: every, Watch: true,
		Health: func() presence.Health { return presence.Health{Devices: map[string]int{"online": 2}} },
		Say: func(m topic.Message) bool {
			u.mu.Lock()
			up := u.keepers[k]
			u.mu.Unlock()
			if up {
				u.publish(m)
			}
			return up
		},
	}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return k
}

// of counts what was sent on a topic of gw-1.
func (u *upstream) of(name string) (n int, last string) {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, m := range u.sent {
		if m.Topic == "fleet/north/gw-1/"+name {
			n, last = n+1, string(m.Payload)
		}
	}
	return n, last
}

func (u *upstream) state() string {
	synctest.Wait()
	u.mu.Lock()
	defer u.mu.Unlock()
	var s struct{ State, Session string }
	json.Unmarshal(u.retained["fleet/north/gw-1/state"].Payload, &s)
	return s.State
}

// set connects a keeper, or cuts its connection.
func (u *upstream) set(k *presence.Keeper, up bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.keepers[k] = up
}

func gateway1() *presence.Presence {
	return presence.New(presence.Config{Group: "north", Gateway: "gw-1"})
}

func bubble(t *testing.T, f func(t *testing.T, u *upstream)) {
	synctest.Test(t, func(t *testing.T) {
		f(t, &upstream{keepers: map[*presence.Keeper]bool{}, retained: map[string]topic.Message{}})
	})
}

func TestHeartbeat(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		k := u.keeper(t, gateway1(), time.Minute)
		u.connect(k, 1)
		if n, _ := u.of("health"); n != 1 {
			t.Errorf("%d heartbeats right after the birth", n)
		}
		time.Sleep(5*time.Minute + time.Second)
		n, last := u.of("health")
		if n != 6 || !strings.Contains(last, `"every":60,`) || !strings.Contains(last, `"devices":{"online":2}`) || strings.Contains(last, "problems") {
			t.Errorf("%d heartbeats, the last %s", n, last)
		}
		if n, _ := u.of("state"); n != 1 {
			t.Errorf("%d states", n)
		}
	})
}

func TestNoHeartbeat(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		u.connect(u.keeper(t, gateway1(), 0), 1)
		time.Sleep(time.Hour)
		if n, _ := u.of("health"); n != 0 {
			t.Errorf("%d heartbeats", n)
		}
	})
}

func TestRollCall(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		k := u.keeper(t, gateway1(), time.Hour)
		u.connect(k, 1)
		for _, tt := range []struct {
			topic  string
			retain bool
			within time.Duration
			states int // in all
		}{
			{"fleet/north/gw-1/cmd/announce", false, 2 * away, 2},
			{"fleet/north/all/cmd/announce", false, 10*time.Second + 2*away, 3},
			{"fleet/north/gw-2/cmd/announce", false, time.Minute, 3},
			{"fleet/north/all/cmd/announce", true, time.Minute, 3}, // was kept for whoever comes later
		} {
			k.Seen(topic.Message{Topic: tt.topic, Retain: tt.retain})
			k.Seen(topic.Message{Topic: tt.topic, Retain: tt.retain})
			time.Sleep(tt.within)
			synctest.Wait()
			states, last := u.of("state")
			if beats, _ := u.of("health"); states != tt.states || beats != tt.states || !strings.Contains(last, `"state":"online"`) {
				t.Errorf("%s: %d states, %d heartbeats", tt.topic, states, beats)
			}
		}
	})
}

// TestStateIsPutRight has upstream show what is not so: the will of an earlier
// life, of an earlier connection, of another bridge, and rubbish.
func TestStateIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		p := gateway1()
		k := u.keeper(t, p, 0)
		u.publish(gateway1().Birth(7, "start")) // an earlier life
		u.connect(k, 2)
		time.Sleep(time.Second)
		if n, _ := u.of("state"); n != 2 {
			t.Errorf("%d states; what was there before the birth is no news", n)
		}
		rubbish := topic.Message{Topic: "fleet/north/gw-1/state", Payload: []byte("online"), Retain: true}
		for i, m := range []topic.Message{gateway1().Will(7), p.Will(1), p.Farewell(1, "idle"), rubbish} {
			time.Sleep(time.Minute)
			u.publish(m)
			time.Sleep(time.Second)
			if n, _ := u.of("state"); u.state() != "online" || n != 2+2*(i+1) {
				t.Errorf("case %d: upstream shows %q, after %d states", i, u.state(), n)
			}
		}
		if n, _ := u.of("alarm"); n != 0 {
			t.Errorf("%d alarms", n)
		}
	})
}

// TestLateWillBeforeThePUBACK: what upstream shows behind our birth is put right,
// though the PUBACK for that is still on its way.
func TestLateWillBeforeThePUBACK(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		p := gateway1()
		k := u.keeper(t, p, 0)
		u.set(k, true)
		for _, m := range []topic.Message{p.Will(1), k.Birth(2, "reconnect"), p.Will(1)} {
			u.publish(m)
			time.Sleep(time.Millisecond) // in this order
		}
		time.Sleep(time.Second)
		k.Born()
		if n, _ := u.of("state"); n != 4 || u.state() != "online" {
			t.Errorf("%d states, upstream shows %q", n, u.state())
		}
	})
}

// TestFarewellStands: what upstream shows after a planned end is not put right.
func TestFarewellStands(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		k := u.keeper(t, gateway1(), time.Minute)
		u.connect(k, 1)
		u.publish(k.Farewell(1, "shutdown"))
		time.Sleep(time.Hour)
		if u.state() != "offline" {
			t.Errorf("upstream shows %q", u.state())
		}
	})
}

// TestTwoUnderOneID: both are connected and put the state right again and again.
// That must calm down, and somebody must be told.
func TestTwoUnderOneID(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		first, second := u.keeper(t, gateway1(), time.Minute), u.keeper(t, gateway1(), time.Minute)
		u.connect(first, 1)
		u.connect(second, 1)
		time.Sleep(10 * time.Second)
		calm, _ := u.of("state")
		if n, last := u.of("alarm"); n != 1 || !strings.Contains(last, `"alarm":"duplicate-id","other":"`) || calm > 10 {
			t.Errorf("%d alarms, the last %s, after %d states", n, last, calm)
		}
		time.Sleep(time.Hour) // the other one finds out, too
		if n, _ := u.of("state"); n-calm > 30 || n == calm {
			t.Errorf("%d states in an hour", n-calm)
		}
		if _, last := u.of("health"); !strings.Contains(last, `"problems":["duplicate-id"]`) {
			t.Errorf("health %s", last)
		}
		u.set(second, false)
		time.Sleep(time.Hour)
		_, last := u.of("health")
		if n, _ := u.of("alarm"); n != 2 || u.state() != "online" || strings.Contains(last, "problems") {
			t.Errorf("%d alarms, upstream shows %q, health %s", n, u.state(), last)
		}
	})
}

// TestOneClientIDTwice: each ends the connection of the other, so that what it shows
// is only seen at the next birth.
func TestOneClientIDTwice(t *testing.T) {
	bubble(t, func(t *testing.T, u *upstream) {
		first, second := u.keeper(t, gateway1(), time.Minute), u.keeper(t, gateway1(), time.Minute)
		for conn := range uint64(3) {
			u.set(second, false)
			u.connect(first, conn+1)
			u.set(first, false)
			u.connect(second, conn+1)
		}
		if n, _ := u.of("alarm"); n != 2 {
			t.Errorf("%d alarms", n)
		}
	})
}
