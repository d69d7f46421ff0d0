package command_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/sim"
	"sluice/gateway/command"
)

// cloud sends commands over a link that is cut, loses and repeats, again and again
// until it hears a result, to a gateway that is killed now and then.
type cloud struct {
	*rig
	random  *rand.Rand
	pending []int
	first   map[string]command.Result // told, heard or not
	heard   map[string]bool
	sent    int
	told    int
	kills   int
}

// TestOnce sends a thousand commands with values of their own, and asks the device
// how often it was told each.
func TestOnce(t *testing.T) {
	const commands = 1000
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.dir = filepath.Join(dir, "0")
		r.line.SetFaults(sim.Faults{Silent: 0.08, Late: 0.08, LateMin: 100 * time.Millisecond, LateMax: 600 * time.Millisecond, Drop: 0.04, Busy: 0.04})
		r.start()
		defer func() { r.close() }()
		c := &cloud{rig: r, random: rand.New(rand.NewPCG(11, 0)), first: map[string]command.Result{}, heard: map[string]bool{}}
		for next, tick := 1, 0; len(c.heard) < commands; tick++ {
			for ; len(c.pending) < 6 && next <= commands; next++ {
				c.pending = append(c.pending, next)
			}
			if tick%100 == 99 {
				c.kill(dir)
			}
			c.tick(tick%40 >= 25)
		}
		c.judge(commands)
	})
}

// tick passes a tenth of a second in which commands may go down and results up.
func (c *cloud) tick(cut bool) {
	for _, n := range c.pending {
		for range c.random.IntN(3) {
			if !cut {
				c.sent++
				_, _ = c.Tap(set(fmt.Sprintf(`{"value":%d,"id":"%d","max_age":%d}`, n, n, 300+c.random.IntN(9000))))
			}
		}
	}
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	for _, out := range c.taken() {
		c.hear(out, cut || c.random.IntN(3) == 0)
	}
	rest := c.pending[:0]
	for _, n := range c.pending {
		if !c.heard[fmt.Sprint(n)] {
			rest = append(rest, n)
		}
	}
	c.pending = rest
}

// hear takes a result, which may be lost on the way.
func (c *cloud) hear(out command.Result, lost bool) {
	c.told++
	first, again := c.first[out.ID]
	if again && (brief(first) != brief(out)) {
		c.t.Errorf("two results: %s and %s", brief(first), brief(out))
	}
	if !again {
		c.first[out.ID] = out
	}
	if !lost {
		c.heard[out.ID] = true
	}
}

// kill ends the gateway and starts it with what was on disk at that moment. Nothing
// is told any more by the one that ended.
func (c *cloud) kill(dir string) {
	c.kills++
	synctest.Wait()
	for _, out := range c.taken() {
		c.hear(out, true)
	}
	next := filepath.Join(dir, fmt.Sprint(c.kills))
	if err := os.CopyFS(next, os.DirFS(c.dir)); err != nil {
		c.t.Fatal(err)
	}
	c.stopped()
	c.taken()
	c.dir = next
	c.start()
}

func (c *cloud) judge(commands int) {
	outcomes := map[command.Outcome]int{}
	executed := 0
	for n := 1; n <= commands; n++ {
		out, writes := c.first[fmt.Sprint(n)].Outcome, c.writes(uint16(n))
		outcomes[out]++
		executed += writes
		switch {
		case writes > 1:
			c.t.Errorf("command %d was carried out %d times", n, writes)
		case out == command.OK && writes != 1, out != command.OK && out != command.Unknown && writes != 0:
			c.t.Errorf("command %d: %s after %d writes", n, out, writes)
		}
	}
	if outcomes[command.OK] < commands/2 || outcomes[command.Unknown] == 0 || c.kills == 0 {
		c.t.Errorf("that was no trial: %v, %d kills", outcomes, c.kills)
	}
	c.t.Logf("%d commands sent %d times, %d kills: %d carried out, none twice; %d results told, one for each: %v",
		commands, c.sent, c.kills, executed, c.told, outcomes)
}
