package bridge_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
)

// TestNothingIsLostWhateverHappens runs the bridge through random outages and
// restarts. A failure names its seed; run it alone with -run.
func TestNothingIsLostWhateverHappens(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newSchedule(t, seed).run() })
		})
	}
}

const messages = 60

// schedule is one random course of events.
type schedule struct {
	*rig
	rng      *rand.Rand
	chaos    bool
	restarts int
	resent   uint64
	fates    map[int]fate
	hungUp   map[string]int // how often, by payload
}

// fate is what happens to one connection, counted in messages that arrive.
type fate struct {
	hangUp, withhold int
	arrived          int
}

func newSchedule(t *testing.T, seed uint64) *schedule {
	rng := rand.New(rand.NewPCG(seed, seed))
	rtts := []time.Duration{0, 20 * time.Millisecond, 600 * time.Millisecond, 1500 * time.Millisecond}
	s := &schedule{rng: rng, chaos: true, fates: map[int]fate{}, hungUp: map[string]int{}}
	r := &remote{rtt: rtts[rng.IntN(len(rtts))]}
	r.refuse = func(int) bool { return s.chaos && rng.IntN(4) == 0 }
	r.judge = s.judge
	s.rig = newRig(t, r)
	return s
}

// judge is called with the remote's mutex held, as refuse is. It never hangs up
// three times on the same message: that would be one to be set aside.
func (s *schedule) judge(conn int, m topic.Message) verdict {
	f, ok := s.fates[conn]
	if !ok {
		f = fate{hangUp: s.rng.IntN(60), withhold: s.rng.IntN(60)}
	}
	f.arrived++
	s.fates[conn] = f
	switch {
	case !s.chaos:
		return acknowledge
	case f.arrived == f.hangUp && s.hungUp[string(m.Payload)] < 2:
		s.hungUp[string(m.Payload)]++
		return hangUp
	case f.arrived == f.withhold:
		return withhold
	}
	return acknowledge
}

func (s *schedule) run() {
	s.rig.run()
	for i := 1; i <= messages; i++ {
		s.event()
		m := numbered(i)
		m.Payload = append(m.Payload, make([]byte, s.draw(3000))...)
		if _, err := s.bridge.Offer(m); err != nil {
			s.Fatal(err)
		}
	}
	s.remote.mu.Lock()
	s.chaos = false
	s.remote.mu.Unlock()
	pass(10 * time.Minute)
	s.remember(s.bridge.Stats())
	s.check()
}

// draw returns a random number below n.
func (s *schedule) draw(n int) int {
	s.remote.mu.Lock()
	defer s.remote.mu.Unlock()
	return s.rng.IntN(n)
}

// event lets time pass, or something happen, between two messages.
func (s *schedule) event() {
	switch n := s.draw(100); {
	case n < 60:
	case n < 85:
		pass(time.Duration(s.draw(2000)) * time.Millisecond)
	case n < 95:
		pass(time.Duration(s.draw(30)) * time.Second)
	case n < 98:
		if last := s.remote.last(); last != nil {
			last.end(errCut, false)
		}
	default:
		s.restarts++
		s.stop()
		s.remember(s.bridge.Stats())
		s.open()
		s.rig.run()
	}
}

// remember adds up what a process life knows of its duplicates.
func (s *schedule) remember(b bridge.Stats) { s.resent += b.Resent }

func (s *schedule) check() {
	next, last, total, again := 1, map[int]int{}, 0, map[int]int{}
	for _, a := range s.remote.received() {
		if a.message.Topic != "v" {
			continue
		}
		if !a.born {
			s.Errorf("connection %d carried a message before its birth was acknowledged", a.conn)
		}
		n := number(a.message)
		total++
		switch {
		case n > next:
			s.Fatalf("message %d arrived before %d", n, next)
		case n == next:
			next++
		default:
			again[a.conn]++
		}
		if last[a.conn] != 0 && n != last[a.conn]+1 {
			s.Errorf("connection %d: message %d behind %d", a.conn, n, last[a.conn])
		}
		last[a.conn] = n
	}
	if next != messages+1 {
		s.Errorf("%d of %d messages arrived", next-1, messages)
	}
	for conn, n := range again {
		if n > 100 {
			s.Errorf("connection %d repeated %d messages, more than were ever in flight", conn, n)
		}
	}
	if s.restarts == 0 && uint64(total-messages) > s.resent {
		s.Errorf("%d messages arrived twice, %d were reported as sent again", total-messages, s.resent)
	}
	if q := s.telemetry(); q.Backlog != 0 || q.Lost != 0 || q.Dead != 0 || q.Appended != q.Delivered {
		s.Errorf("queue %+v", q)
	}
}

// number reads the number that a payload begins with.
func number(m topic.Message) int {
	digits := 0
	for digits < len(m.Payload) && m.Payload[digits] != 0 {
		digits++
	}
	n, _ := strconv.Atoi(string(m.Payload[:digits]))
	return n
}
