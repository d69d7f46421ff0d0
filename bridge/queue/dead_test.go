package queue_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// TestRebury: a message that was buried ahead of the cursor is in the backlog again
// after a power cut, but not for long; one that has its number in a new lane is
// left alone.
func TestRebury(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disks := map[string]*durabletest.Disk{}
		start := func() lane {
			q, err := queue.OpenFS(queue.Config{}, func(name string) durable.FS {
				if disks[name] == nil {
					disks[name] = durabletest.New(1)
				}
				return disks[name].Start()
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return lane{q.Lane(queue.Telemetry), q}
		}
		cut := func(l lane) {
			for _, d := range disks {
				d.Cut()
			}
			_ = l.Close() // there is no disk any more
		}
		fill := func(l lane, from int) {
			for i := range 3 {
				add(t, l, message(from+i))
			}
			if err := l.Wait(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(l lane, dead uint64) {
			t.Helper()
			if err := l.queue.Rebury(); err != nil {
				t.Error(err)
			}
			letters := 0
			l.queue.DropDead(func(queue.Letter) bool { letters++; return false })
			if s := checkStats(t, l); s.Dead != dead || s.Backlog != 3-dead || letters != 1 {
				t.Errorf("%d letters, %+v", letters, s)
			}
		}

		l := start()
		fill(l, 0)
		r := l.NewReader()
		next(t, r)
		if err := l.Bury(t.Context(), next(t, r), "hangs up"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // what is remembered of it is on flash
		cut(l)
		l = start()
		if s := checkStats(t, l); s.Dead != 0 || s.Backlog != 3 {
			t.Errorf("after the power cut: %+v", s)
		}
		wants(l, 1)
		wants(l, 1)
		cut(l)

		delete(disks, "telemetry")
		l = start()
		fill(l, 10)
		wants(l, 0)
		cut(l)
	})
}
