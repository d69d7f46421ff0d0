package bridge

import (
	"testing"
	"time"
)

// drive lets a link of the given rate and round trip run for a while with as
// much to send as the window takes, messages of n bytes.
func drive(m *meter, rate int, rtt time.Duration, n int, long time.Duration) {
	type sent struct{ at, back time.Time }
	var flights []sent
	now := time.Unix(0, 0)
	idle := now // when the link has sent all it was given
	for end := now.Add(long); now.Before(end); {
		for m.room() {
			if idle.Before(now) {
				idle = now
			}
			idle = idle.Add(time.Duration(n) * time.Second / time.Duration(rate))
			flights = append(flights, sent{now, idle.Add(rtt)})
			m.sent(now, n)
		}
		now = flights[0].back
		m.acked(now, n, now.Sub(flights[0].at))
		flights = flights[1:]
	}
}

func TestWindowFindsTheLink(t *testing.T) {
	for _, tt := range []struct {
		name       string
		rate       int // bytes per second
		rtt        time.Duration
		want, slop int // the link's content, and what waits before it
	}{
		{"9.6 kbit/s, 1.5 s", 1200, 1500 * time.Millisecond, 1800 + 2800, 1500},
		{"64 kbit/s, 600 ms", 8000, 600 * time.Millisecond, 4800 + 3600, 1500},
		{"64 kbit/s, 1.5 s", 8000, 1500 * time.Millisecond, 12_000 + 3600, 1500},
		{"256 kbit/s, 1.5 s", 32_000, 1500 * time.Millisecond, 48_000 + 14_400, 3000},
		{"10 Mbit/s, 600 ms", 1_250_000, 600 * time.Millisecond, maxWindow, 0},
		{"100 Mbit/s, 1 ms", 12_500_000, time.Millisecond, maxWindow, 0},
	} {
		m := newMeter()
		birth := tt.rtt + 200*time.Second/time.Duration(tt.rate)
		m.born(time.Unix(0, 0), birth)
		drive(&m, tt.rate, tt.rtt, 1400, time.Minute)
		if m.window < tt.want-tt.slop || m.window > tt.want+tt.slop {
			t.Errorf("%s: window %d, want about %d (rate %.0f, shortest round trip %v)", tt.name, m.window, tt.want, m.rate, m.rttMin)
		}
	}
}

// A reconnection begins with what the link was, unless it is another one.
func TestWindowIsRemembered(t *testing.T) {
	m := newMeter()
	m.born(time.Unix(0, 0), 640*time.Millisecond)
	drive(&m, 8000, 600*time.Millisecond, 240, time.Minute)
	same, other := m.next(), m.next()
	same.born(time.Unix(0, 0), 700*time.Millisecond)
	if d := same.window - m.window; d < 0 || d > 1000 {
		t.Errorf("window of %d became %d", m.window, same.window)
	}
	other.born(time.Unix(0, 0), 2*time.Second)
	if other.window != firstWindow || other.rate != 0 {
		t.Errorf("window of %d on another link, rate %.0f", other.window, other.rate)
	}
}

// Where alarms are sent, not even the first window may be long in front of one.
func TestFirstWindowWithAlarms(t *testing.T) {
	for rtt, want := range map[time.Duration]int{
		time.Millisecond: leastQueued, 600 * time.Millisecond: 4800, 2 * time.Second: firstWindow,
	} {
		m := newMeter()
		m.urgent = true
		if m.born(time.Unix(0, 0), rtt); m.window != want {
			t.Errorf("round trip of %v: window %d, want %d", rtt, m.window, want)
		}
	}
}

// What a link cannot do is only known when it had too much to do.
func TestLimitIsOfTheLink(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rate  int
		size  int
		limit bool
	}{
		{"a slow link", 8000, 240, true},
		{"a fast one, and as many messages as may be on their way", 1_250_000, 10, false},
		{"a fast one", 1_250_000, 100, false},
	} {
		m := newMeter()
		m.born(time.Unix(0, 0), 600*time.Millisecond)
		drive(&m, tt.rate, 600*time.Millisecond, tt.size, time.Minute)
		if m.limit != tt.limit {
			t.Errorf("%s: limit %v at %.0f bytes/s", tt.name, m.limit, m.rate)
		}
	}
}

func TestWindowIsBoundedInMessages(t *testing.T) {
	m := newMeter()
	m.window = maxWindow
	for i := range maxFlights {
		if !m.room() {
			t.Fatalf("no room for message %d", i+1)
		}
		m.sent(time.Unix(0, 0), 10)
	}
	if m.room() {
		t.Errorf("room for more than %d messages", maxFlights)
	}
}

func TestWindowLetsOneLargeMessagePass(t *testing.T) {
	m := newMeter()
	m.sent(time.Unix(0, 0), 10)
	if !m.room() {
		t.Error("no room behind a small message")
	}
	m.acked(time.Unix(1, 0), 10, time.Second)
	m.sent(time.Unix(1, 0), 10<<20)
	if m.room() {
		t.Error("room behind a message larger than any window")
	}
}

// A link with little to do must not be taken for a slow one.
func TestWindowSurvivesIdleness(t *testing.T) {
	m := newMeter()
	m.born(time.Unix(0, 0), 600*time.Millisecond)
	drive(&m, 1_250_000, 600*time.Millisecond, 1000, time.Minute)
	for range 1000 {
		now := time.Unix(1000, 0)
		m.sent(now, 100)
		m.acked(now.Add(600*time.Millisecond), 100, 600*time.Millisecond)
	}
	if m.window != maxWindow {
		t.Errorf("window shrank to %d", m.window)
	}
}

func TestWindowFollowsALinkThatSlowsDown(t *testing.T) {
	m := newMeter()
	m.born(time.Unix(0, 0), 600*time.Millisecond)
	drive(&m, 1_250_000, 600*time.Millisecond, 1000, time.Minute)
	m.owed, m.flights, m.period = 0, 0, time.Time{}
	drive(&m, 8000, 600*time.Millisecond, 1000, 5*time.Minute)
	if m.window > 13_000 {
		t.Errorf("window is still %d", m.window)
	}
}

func TestPatience(t *testing.T) {
	start := time.Unix(0, 0)
	for _, tt := range []struct {
		name string
		srtt time.Duration
		rate float64
		owed int
		want time.Duration
	}{
		{"nothing known, little owed", 0, 0, 100, 10 * time.Second},
		{"nothing known, 16 KiB owed", 0, 0, 16 << 10, 54613 * time.Millisecond},
		{"fast link", 20 * time.Millisecond, 1e6, 128 << 10, 10 * time.Second},
		{"long round trip", 4 * time.Second, 1e6, 1000, 16002 * time.Millisecond},
		{"nothing is worth more than two minutes", time.Second, 100, 1 << 20, 2 * time.Minute},
	} {
		m := meter{srtt: tt.srtt, rate: tt.rate}
		m.sent(start, tt.owed)
		if got := m.deadline().Sub(start).Truncate(time.Millisecond); got != tt.want {
			t.Errorf("%s: patience %v, want %v", tt.name, got, tt.want)
		}
	}
}
