//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

// adapterKey finds what plug and unplug have done in a script.
type adapterKey struct{}

// adapter is a serial adapter that comes and goes, with unit 7 behind it. Its
// holding register 0 says how often it was plugged in.
type adapter struct {
	plugs   uint16
	pty     *sim.PTY
	bus     *sim.Bus
	replies atomic.Uint64 // that have ended
	stop    func()
}

// plug puts an adapter behind the link $WORK/NAME, as udev does: each time another
// device under the same name.
//
//	plug NAME
func plug(ts *testscript.TestScript, neg bool, args []string) {
	a := ts.Value(adapterKey{}).(*adapter)
	last := a.pty
	for range 2 { // the kernel gives the number again that has become free
		pty, err := sim.OpenPTY()
		ts.Check(err)
		ts.Defer(pty.Unplug)
		a.pty = pty
		if last == nil || pty.Path() != last.Path() {
			break
		}
	}
	a.plugs++
	a.replies.Store(0)
	pty := a.pty
	a.bus = sim.New(sim.Config{
		Line:    modbus.Line{Baud: 19200, DataBits: 8, Parity: modbus.NoParity, StopBits: 1},
		OnReply: func(sim.Reply) { a.replies.Add(1) },
		Units: map[modbus.UnitID]sim.Unit{
			7: {Device: &device.Memory{device.Holding: {a.plugs}}, Latency: 100 * time.Millisecond},
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { a.bus.Serve(ctx, pty) })
	a.stop = sync.OnceFunc(func() {
		cancel()
		serving.Wait()
		pty.Unplug()
	})
	ts.Defer(a.stop)
	ts.Check(os.Symlink(pty.Path(), ts.MkAbs(args[0])))
	ts.Logf("plugged in as %s", pty.Path())
}

// unplug takes the adapter away: while a unit is being read, or between two reads.
// The link goes last, as when udev is slow.
//
//	unplug NAME reading|idle
func unplug(ts *testscript.TestScript, neg bool, args []string) {
	a := ts.Value(adapterKey{}).(*adapter)
	reading := func() bool { return a.bus.Stats().Requests > a.replies.Load() }
	want, was := args[1] == "reading", reading()
	for end := time.Now().Add(startLimit); ; time.Sleep(time.Millisecond) {
		if now := reading(); now != was && now == want {
			break // it has just begun
		} else {
			was = now
		}
		if time.Now().After(end) {
			ts.Fatalf("unit 7 is not polled")
		}
	}
	a.stop()
	time.Sleep(100 * time.Millisecond)
	ts.Check(os.Remove(ts.MkAbs(args[0])))
}

// idle requires that a program in the background takes no more than so many
// percent of one processor for a while.
//
//	idle TIME PERCENT
func idle(ts *testscript.TestScript, neg bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	limit, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	for _, cmd := range ts.BackgroundCmds() {
		before := ticks(ts, cmd.Process.Pid)
		time.Sleep(d)
		const perSecond = 100 // USER_HZ of every Linux
		share := 100 * float64(ticks(ts, cmd.Process.Pid)-before) / perSecond / d.Seconds()
		ts.Logf("%.1f %% of one processor over %v", share, d)
		if share > limit {
			ts.Fatalf("%s takes %.1f %% of one processor, %v %% is allowed", cmd.Path, share, limit)
		}
	}
}

// ticks returns the processor time that a process has used: utime and stime of
// proc(5), the 14th and 15th fields of stat.
func ticks(ts *testscript.TestScript, pid int) (n int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	ts.Check(err)
	_, rest, _ := strings.Cut(string(stat), ") ") // from the third field on
	for _, f := range strings.Fields(rest)[11:13] {
		t, err := strconv.Atoi(f)
		ts.Check(err)
		n += t
	}
	return n
}
