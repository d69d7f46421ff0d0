package poll_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/sim"
)

// matrix is everything that goes wrong on a Modbus line and with its port, each
// with a transcript of that name in testdata/wire: what is on the wire, how long
// it is silent before, and what is published.
var matrix = []struct {
	name  string
	about string
	play  func(t *testing.T) *transcript
}{
	{"late-reply", `
A reply comes after its request was given up, when the next request, to which it
would be an answer of the right shape, could be under way. A canary goes first.`,
		polled(sim.Faults{Late: 1, LateMin: 310 * ms, LateMax: 310 * ms}, once)},
	{"late-reply-of-a-slow-unit", `
The same from a unit that always needs longer than the timeout: it is bad, not
one behind.`,
		polled(sim.Faults{Late: 1, LateMin: 250 * ms, LateMax: 250 * ms}, always)},
	{"wrong-unit", `
The reply bears the number of another unit. It is not taken, and the unit's own is
waited for.`,
		polled(sim.Faults{WrongUnit: 1}, once)},
	{"stray-bytes-before", `
One to three bytes of noise directly before every reply.`,
		polled(sim.Faults{Insert: 1}, always)},
	{"stray-bytes-after", `
One to three bytes of noise directly behind every reply. The next request waits
until the line has been silent again.`,
		polled(sim.Faults{Trail: 1}, always)},
	{"reply-sent-twice", `
Every reply is sent twice without a gap.`,
		polled(sim.Faults{Duplicate: 1}, always)},
	{"byte-lost", `
One byte of the reply is lost. The master notices 40 ms after the hole, asks by a
canary whether more is to come, and again.`,
		polled(sim.Faults{Drop: 1}, once)},
	{"exception-of-a-slow-unit", `
A unit refuses a register after 150 ms. Its reply is five bytes instead of seven,
and the read behind it is not lost.`,
		exceptionOfASlowUnit},
	{"echo-read", `
The adapter returns what is sent. It is told from the reply, which for a write
looks the same.`,
		echoed(1)},
	{"echo-write-to-a-dead-unit", `
The adapter returns a write to a unit that is not there. The echo is what the
reply would be; it is not taken for it.`,
		echoed(2)},
	{"unplug-while-idle", `
The adapter is pulled out between two rounds and plugged in again. Time is counted
from when the port was opened.`,
		unplugged(1300 * ms)},
	{"unplug-during-a-read", `
The adapter is pulled out while a unit is being read.`,
		unplugged(1020 * ms)},
	{"broadcast", `
A write to every unit: nobody answers, and the units get 100 ms to act on it.`,
		broadcast},
	{"two-callers", `
Several ask for something while the line is in use. They take turns, and one that
gives up in time is not served.`,
		twoCallers},
	{"babbling-line", `
Somebody babbles without a pause. No request is sent into it; each try is given up
after a while.`,
		babbling},
	{"late-reply-in-a-network", `
Modbus TCP numbers its frames: the reply that comes too late bears an older number
and is dropped, without a canary.`,
		lateInANetwork},
}

func TestFailureMatrix(t *testing.T) {
	for _, row := range matrix {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := row.play(t)
				log.check(t, row.name, row.about)
				if quiet := log.shortest(); !log.network && quiet < line.Silence()-time.Microsecond {
					t.Errorf("a request after %v of silence, %v is the least", quiet, line.Silence())
				}
			})
		})
	}
}

// A file that no row writes is of a row that is gone.
func TestEveryTranscriptHasItsRow(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.txt")
	if err != nil || len(files) != len(matrix) {
		t.Errorf("%d transcripts for %d rows, error %v", len(files), len(matrix), err)
	}
	for _, row := range matrix {
		if !slices.Contains(files, filepath.Join("testdata/wire", row.name+".txt")) {
			t.Errorf("%s has no transcript", row.name)
		}
	}
}

// How long a fault lasts: for one reply, or from then on.
const (
	once   = false
	always = true
)

// polled has one round go well, and the replies of the next go wrong.
func polled(f sim.Faults, lasts bool) func(*testing.T) *transcript {
	return func(t *testing.T) *transcript {
		s := newScene(t, 10*ms)
		s.poll()
		time.Sleep(900 * ms)
		s.sim.SetFaults(f)
		time.Sleep(120 * ms) // the first request of the second round is under way
		if !lasts {
			s.sim.SetFaults(sim.Faults{})
		}
		time.Sleep(1900 * ms)
		s.end()
		return s.log
	}
}

func exceptionOfASlowUnit(t *testing.T) *transcript {
	s := newScene(t, 150*ms)
	s.point("missing", 300)
	s.poll()
	time.Sleep(1900 * ms)
	s.end()
	return s.log
}

// echoed asks a unit through an adapter that echoes.
func echoed(unit uint8) func(*testing.T) *transcript {
	return func(t *testing.T) *transcript {
		s := newScene(t, 10*ms)
		s.echo = true
		s.sim.SetFaults(sim.Faults{Echo: 1})
		if unit == 1 {
			s.poll()
			time.Sleep(1500 * ms)
		} else {
			s.serve()
			s.write(t.Context(), 2, 5, 7)
			s.write(t.Context(), 1, 5, 7)
		}
		s.end()
		return s.log
	}
}

// unplugged pulls the adapter out for a while, at that time after the start.
func unplugged(at time.Duration) func(*testing.T) *transcript {
	return func(t *testing.T) *transcript {
		s := newScene(t, 10*ms)
		s.poll()
		time.Sleep(at)
		s.pull()
		time.Sleep(1100 * ms)
		before := s.goodOnes()
		s.replug()
		time.Sleep(400 * ms)
		if s.goodOnes() == before {
			t.Error("no reading within 400 ms of replugging")
		}
		s.end()
		return s.log
	}
}

func broadcast(t *testing.T) *transcript {
	s := newScene(t, 10*ms)
	s.serve()
	s.write(t.Context(), 0, 5, 7)
	s.read(t.Context(), 1, 5)
	s.end()
	return s.log
}

func twoCallers(t *testing.T) *transcript {
	s := newScene(t, 10*ms)
	s.poll()
	time.Sleep(1000*ms + 10*ms) // the line is in use
	impatient, giveUp := context.WithTimeoutCause(t.Context(), 5*ms, context.Canceled)
	defer giveUp()
	var callers sync.WaitGroup
	callers.Go(func() { s.write(t.Context(), 1, 5, 7) })
	time.Sleep(ms)
	callers.Go(func() { s.write(impatient, 1, 5, 8) })
	time.Sleep(ms)
	callers.Go(func() { s.read(t.Context(), 1, 5) })
	callers.Wait()
	time.Sleep(500 * ms)
	s.end()
	return s.log
}

func babbling(t *testing.T) *transcript {
	s := newScene(t, 10*ms)
	s.poll()
	time.Sleep(900 * ms)
	s.babbles(true)
	s.log.add(event{time.Now(), time.Now().Add(1700 * ms), "noise", spell(noise) + " and so on"})
	time.Sleep(1700 * ms)
	s.babbles(false)
	time.Sleep(700 * ms)
	s.end()
	return s.log
}

// lateInANetwork has the reply to the first request of the second round come
// after its timeout.
func lateInANetwork(t *testing.T) *transcript {
	s := newScene(t, 0)
	s.log.network = true
	s.open = s.openNetwork(1*time.Second, 310*ms)
	s.poll()
	time.Sleep(1900 * ms)
	s.end()
	return s.log
}
