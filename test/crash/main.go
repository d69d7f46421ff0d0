// Command crash cuts the power of the log under the queues, as often as asked for,
// on a disk in memory that forgets what it may: any part of what was not synced,
// and syncs, writes, reads and reservations that fail. After each start it
// compares the log with a model of it. A failure prints its seed; -seed N -n 1
// repeats it.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable/durabletest"
)

// kind is what else goes wrong with the disk.
type kind uint64

const (
	good kind = iota
	failing
	readErrors
	full
	kinds
)

func (k kind) String() string {
	return [...]string{"good disk", "failing syncs, writes and names", "read errors", "full disk"}[k]
}

// faults returns what goes wrong in one life of the log.
func (k kind) faults(r *rand.Rand) durabletest.Faults {
	oneIn := func(n int) bool { return r.IntN(n) == 0 }
	switch k {
	case failing:
		return durabletest.Faults{
			Sync:  func(string) bool { return oneIn(15) },
			Write: func(string) bool { return oneIn(50) },
			Names: func() bool { return oneIn(50) },
		}
	case readErrors:
		return durabletest.Faults{Read: func(string, int64) bool { return oneIn(30) }}
	case full:
		return durabletest.Faults{Space: int64(10+r.IntN(150)) << 10}
	}
	return durabletest.Faults{}
}

const livesPerSeed = 3

// main runs as a test does: the bubbles of synctest, in which time costs nothing,
// are to be had only there.
func main() {
	n := flag.Int("n", 3000, "power cuts and kills")
	seed := flag.Uint64("seed", 0, "of the first trial")
	all := func(string, string) (bool, error) { return true, nil }
	testing.Main(all, []testing.InternalTest{{Name: "crash", F: func(t *testing.T) {
		start := time.Now()
		for k, sum := range crash(t, *n, *seed) {
			fmt.Printf("%-32s %v\n", kind(k), sum)
		}
		if !t.Failed() {
			fmt.Printf("0 acknowledged lost, 0 out of order, 0 phantoms, every account closed; %v\n", time.Since(start).Round(time.Second))
		}
	}}}, nil, nil)
}

// crash takes the power away, or kills the process, n times during any operation,
// and checks after each start that nothing acknowledged is missing, nothing is
// invented, nothing is out of order and no damage is counted.
func crash(t *testing.T, n int, seed uint64) [kinds]tally {
	var sums [kinds]tally
	for done := 0; done < n && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrial(t, seed)
			for life := range livesPerSeed {
				tr.disk.SetFaults(tr.kind.faults(rand.New(rand.NewPCG(seed, uint64(3+life)))))
				tr.disk.CutAfter(1 + tr.rand.IntN(100))
				tr.life()
			}
			tr.disk.SetFaults(durabletest.Faults{})
			tr.disk.CutAfter(0)
			tr.lastLife()
			sums[tr.kind].add(tr.tally)
			done += tr.cuts + tr.kills
		})
	}
	return sums
}
