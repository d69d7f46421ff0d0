package outage

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/test/link"
	"sluice/test/remote"
)

var (
	schedules = flag.Int("schedules", 100, "schedules of faults to run")
	first     = flag.Uint64("seed", 0, "seed of the first")
)

// TestSchedules runs random courses of events. A failure names its seed; -seed N
// -schedules 1 runs it alone.
func TestSchedules(t *testing.T) {
	for i := range uint64(*schedules) {
		seed := *first + i
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSchedule(t, seed).run() })
		})
	}
}

const messages = 50

// schedule is one course of events.
type schedule struct {
	*world
	rng   *rand.Rand // of this goroutine
	fates *rand.Rand // of the broker's
	calm  bool       // nothing fails any more; guarded by world.mu
	conns map[int]fate
	next  map[queue.Name]uint32
	ends  int // of the process

	poison id         // what the broker does not bear, whatever else goes well
	hungUp map[id]int // how often, on what was the first to come
}

// fate is what the broker does on one connection, counted in messages.
type fate struct{ hangUp, withhold, arrived int }

func newSchedule(t *testing.T, seed uint64) *schedule {
	rng := rand.New(rand.NewPCG(seed, 1))
	rates := []int{1200, 8000, 32_000, 1_000_000}
	trips := []time.Duration{20 * time.Millisecond, 600 * time.Millisecond, 1500 * time.Millisecond}
	c := link.Config{Rate: rates[rng.IntN(len(rates))], RTT: trips[rng.IntN(len(trips))]}
	s := &schedule{
		world: newWorld(t, seed, c), rng: rng, fates: rand.New(rand.NewPCG(seed, 2)),
		conns: map[int]fate{}, next: map[queue.Name]uint32{}, hungUp: map[id]int{},
	}
	if seed%3 == 0 {
		s.poison = id{queue.Telemetry, 1 + uint32(seed%20)}
	}
	s.broker.Judge = s.judge
	if seed%2 == 1 {
		s.liveFirst(queue.Telemetry, queue.Bulk)
	}
	if seed%4 >= 2 {
		s.envelopes()
	}
	return s
}

// judge never hangs up three times on the same message, but for the poison.
func (s *schedule) judge(m remote.Message) remote.Verdict {
	came := s.inside(m)
	if slices.ContainsFunc(came, func(a arrival) bool { return a.id == s.poison }) {
		return remote.HangUp
	}
	s.take(came)
	s.mu.Lock()
	defer s.mu.Unlock()
	var head id
	if len(came) > 0 {
		head = came[0].id
	}
	f, ok := s.conns[m.Conn]
	if !ok {
		f = fate{hangUp: s.fates.IntN(100), withhold: s.fates.IntN(100)}
	}
	f.arrived++
	s.conns[m.Conn] = f
	switch {
	case s.calm:
		return remote.Acknowledge
	case f.arrived == f.hangUp && s.hungUp[head] < 2:
		if len(came) > 0 {
			s.hungUp[head]++
		}
		return remote.HangUp
	case f.arrived == f.withhold:
		return remote.Withhold
	}
	return remote.Acknowledge
}

func (s *schedule) run() {
	s.start()
	for range messages {
		s.event()
		lane := lanes[[]int{0, 1, 1, 1, 1, 2}[s.rng.IntN(6)]]
		s.next[lane]++
		s.publish(id{lane, s.next[lane]}, s.rng.IntN(600)+s.rng.IntN(2)*s.rng.IntN(2)*2000)
	}
	s.mu.Lock()
	s.calm = true
	s.mu.Unlock()
	time.Sleep(time.Second) // everything is on flash
	if !s.drained(30 * time.Minute) {
		s.Errorf("still waiting: %+v", s.bridge.Stats())
	}
	s.check()
	s.end(false)
	s.link.Close()
}

// event lets time pass, or something fail, between two messages.
func (s *schedule) event() {
	switch n := s.rng.IntN(100); {
	case n < 55:
	case n < 80:
		time.Sleep(time.Duration(s.rng.IntN(2000)) * time.Millisecond)
	case n < 88:
		time.Sleep(time.Duration(s.rng.IntN(30)) * time.Second)
	case n < 96:
		s.link.Cut(context.Background(), link.Outage(s.rng.IntN(3)), time.Duration(1+s.rng.IntN(40_000))*time.Millisecond)
	default:
		s.ends++
		s.end(s.rng.IntN(2) == 0)
		s.start()
	}
}

// check holds what arrived against what was acknowledged.
func (s *schedule) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, newest, last := map[id]bool{}, map[queue.Name]uint32{}, map[string]uint32{}
	again := 0
	for _, a := range s.arrivals {
		switch {
		case a.number > s.next[a.lane] || a.number == 0:
			s.Errorf("%v was never published", a.id)
		case seen[a.id]:
			again++
		case a.late:
		case a.number < newest[a.lane] && !(s.live[a.lane] && s.ends > 0): // a lost cursor forgets what went first
			s.Errorf("%v arrived for the first time behind %d", a.id, newest[a.lane])
		}
		seen[a.id] = true
		if !a.late {
			newest[a.lane] = max(newest[a.lane], a.number)
		}
		on := fmt.Sprint(a.lane, a.late, a.conn)
		if a.number <= last[on] {
			s.Errorf("connection %d: %v arrived behind %d", a.conn, a.id, last[on])
		}
		last[on] = a.number
	}
	s.checkNames()
	letters := s.letters()
	for m := range s.safe {
		if !seen[m] && letters[m] == 0 {
			s.Errorf("%v was acknowledged and never arrived", m)
		}
	}
	for m, n := range letters {
		if m != s.poison || n != 1 {
			s.Errorf("%v is a dead letter %d times", m, n)
		}
	}
	if stats := s.bridge.Stats(); s.ends == 0 && again > int(stats.Resent) {
		s.Errorf("%d arrived again, at most %d were sent again", again, stats.Resent)
	}
	for _, l := range s.bridge.Stats().Lanes {
		if l.Balance() != 0 || l.Lost != 0 {
			s.Errorf("lane %s: %+v", l.Name, l.Stats)
		}
	}
}

// checkNames: with envelopes, who throws away what has a name that was seen before
// has every message once.
func (s *schedule) checkNames() {
	if s.cfg.Envelopes.To == "" {
		return
	}
	named, names := map[name]id{}, map[id]name{}
	for _, a := range s.arrivals {
		if other, ok := named[a.name]; ok && other != a.id {
			s.Errorf("%v has the name %v of %v", a.id, a.name, other)
		}
		if other, ok := names[a.id]; ok && other != a.name {
			s.Errorf("%v came as %v, and as %v", a.id, other, a.name)
		}
		named[a.name], names[a.id] = a.id, a.name
	}
}

// TestMessageTooLongForTheLink: it ends among the dead letters, not in a loop, and
// what is behind it arrives.
func TestMessageTooLongForTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, link.Config{Rate: 1200, RTT: 1500 * time.Millisecond})
		w.broker.Judge = func(m remote.Message) remote.Verdict {
			w.arrived(m)
			return remote.Acknowledge
		}
		w.start()
		for i := range uint32(400) { // enough to learn what the link can
			w.publish(id{queue.Telemetry, i + 1}, 240)
		}
		w.publish(id{queue.Telemetry, 401}, 150_000) // two minutes, keepalive 60 s
		w.publish(id{queue.Telemetry, 402}, 240)
		time.Sleep(time.Second)
		if !w.drained(10 * time.Minute) {
			t.Errorf("still waiting: %+v", w.bridge.Stats())
		}
		if n := len(w.arrivals); n != 401 || w.arrivals[n-1].number != 402 {
			t.Errorf("%d messages arrived", n)
		}
		if s := w.bridge.Stats(); s.Conn != 1 || w.queue.Lane(queue.Telemetry).Stats().Dead != 1 {
			t.Errorf("stats %+v", s)
		}
		w.end(false)
		w.link.Close()
	})
}

// TestAlarmDuringADrain: at 64 kbit/s an alarm is upstream within a second,
// whatever waits.
func TestAlarmDuringADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, link.Config{Rate: 8000, RTT: 600 * time.Millisecond})
		w.limits[queue.Alarm] = queue.Limits{MaxBytes: 4 << 20, CommitDelay: 10 * time.Millisecond}
		w.broker.Judge = func(m remote.Message) remote.Verdict {
			w.arrived(m)
			return remote.Acknowledge
		}
		w.start()
		for i := range uint32(4000) {
			w.publish(id{queue.Telemetry, i + 1}, 221)
		}
		raised := map[uint32]time.Time{}
		for i := range uint32(40) { // the first while the link is still being measured
			time.Sleep(2500 * time.Millisecond)
			raised[i+1] = time.Now()
			w.publish(id{queue.Alarm, i + 1}, 40)
		}
		if !w.drained(time.Hour) {
			t.Error("never drained")
		}
		for _, a := range w.arrivals {
			if d := a.at.Sub(raised[a.number]); a.lane == queue.Alarm && d > time.Second {
				t.Errorf("alarm %d took %v", a.number, d)
			}
		}
		w.end(false)
		w.link.Close()
	})
}
