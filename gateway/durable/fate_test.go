package durable_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// restart leaves the disk as a power cut does and opens the log again.
func restart(t *testing.T, disk *durabletest.Disk, log *durable.Log, opt durable.Options) *durable.Log {
	t.Helper()
	disk.Cut()
	log.Close()
	return open(t, disk, opt)
}

// saved waits until the cursor is on the medium.
func saved() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// TestCursorOutlivesAKill: what was acknowledged 10 ms ago is not read again by
// the process after this one, without a sync for it.
func TestCursorOutlivesAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 50, 2, 100)
		syncs := cursorSyncs(disk)
		for seq := range durable.Seq(99) {
			log.Ack(seq + 2)
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if n := syncs.Load(); n != 0 {
			t.Errorf("%d syncs of the cursor", n)
		}
		disk.Kill()
		log.Close()
		var order string
		disk.SetFaults(durabletest.Faults{Before: func(op, name string) {
			if name == "cursor" && op != "read" {
				order += op + " "
			}
		}})
		log = open(t, disk, small)
		if got := log.Acked(); got != 100 {
			t.Errorf("cursor %d after a kill", got)
		}
		if order != "write sync write sync " {
			t.Errorf("what was found is not on the medium before the other slot is written: %s", order)
		}
		if log = restart(t, disk, log, small); log.Acked() != 100 {
			t.Errorf("cursor %d after a power cut", log.Acked())
		}
	})
}

// TestNotedCursorAndPowerCut: a power cut while the cursor that only the kernel
// had is made durable costs nothing that was on the medium.
func TestNotedCursorAndPowerCut(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(seed)
			log := open(t, disk, small)
			frames(t, log, 50, 2, 100)
			log.Ack(41)
			saved()
			log.Ack(61)
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			disk.Kill()
			log.Close()
			disk.CutAfter(1 + int(seed%10))
			if log, err := durable.OpenFS(disk.Start(), small); err == nil {
				log.Close()
			}
			disk.Cut()
			if got := open(t, disk, small).Acked(); got != 41 && got != 61 {
				t.Errorf("seed %d: cursor %d", seed, got)
			}
		})
	}
}

// TestSettleAhead: what was delivered or buried ahead of the cursor is not read
// again, and counted once.
func TestSettleAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 10, 2, 100)
		log.Settle(11, 16)
		log.Settle(4, 6)
		if err := log.Bury(8); err != nil {
			t.Fatal(err)
		}
		log.Settle(15, 99) // what is not durable stays
		if got := readAll(t, log); !slices.Equal(got, []durable.Seq{1, 2, 3, 6, 7, 9, 10}) {
			t.Errorf("read %v", got)
		}
		if s := checkAccount(t, log); s.Delivered != 12 || s.Dead != 1 || s.Backlog != 7 {
			t.Errorf("%+v", s)
		}
		saved()
		log = restart(t, disk, log, small) // remembers the largest part
		if got := readAll(t, log); !slices.Equal(got, seqs(1, 11)) {
			t.Errorf("after a power cut: read %v", got)
		}
		if err := log.Bury(1); err != nil {
			t.Fatal(err)
		}
		log.Ack(11)
		if s := checkAccount(t, log); s.Delivered != 19 || s.Dead != 1 || log.Acked() != 21 {
			t.Errorf("%+v", s)
		}
		saved()
		if s := checkAccount(t, restart(t, disk, log, small)); s.Delivered != 19 || s.Dead != 1 || s.Backlog != 0 {
			t.Errorf("after another: %+v", s)
		}
	})
}

// TestGap: a loss is news until somebody was told, across restarts.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		start := time.Now()
		for range 20 {
			wait(t, log, add(t, log, 100)) // 200 ms each
		}
		log.Ack(6)
		if g := log.Gap(0); g.Records != 0 {
			t.Errorf("nothing lost, and yet %+v", g)
		}
		if n := log.Drop(11); n != 5 {
			t.Errorf("dropped %d", n)
		}
		saved()
		log = restart(t, disk, log, small)
		first := log.Gap(0)
		if first.Records != 5 || first.From != 6 || first.To != 11 || !first.Since.Equal(start.Add(5*200*time.Millisecond)) {
			t.Errorf("%+v", first)
		}
		log.Drop(14)
		if g := log.Gap(first.Mark); g.Records != 3 || g.To != 14 {
			t.Errorf("after the first: %+v", g)
		}
		until := time.Now()
		log.Told(first, until)
		if g := log.Gap(0); g.Records != 3 || g.From != 11 || !g.Since.Equal(until) {
			t.Errorf("the first was told: %+v", g)
		}
		log.Told(log.Gap(0), until)
		saved()
		log = restart(t, disk, log, small)
		if g := log.Gap(0); g.Records != 0 {
			t.Errorf("all was told: %+v", g)
		}
		if s := checkAccount(t, log); s.Overflow != 8 {
			t.Errorf("%+v", s)
		}
	})
}

// TestKeep: segments go when all in them is too old, and not before.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		opt := small
		opt.Keep = time.Hour
		log := open(t, disk, opt)
		start := time.Now()
		for range 100 { // 22 to a segment
			wait(t, log, add(t, log, 1000))
			time.Sleep(time.Minute)
		}
		s := checkAccount(t, log)
		oldest := readAll(t, log)[0]
		if s.Expired == 0 || s.Overflow != 0 || s.Damage != 0 || oldest != durable.Seq(s.Expired+1) {
			t.Errorf("oldest %d, %+v", oldest, s)
		}
		if g := log.Gap(0); g.Records != s.Expired || g.From != 1 || !g.Since.Equal(start) {
			t.Errorf("%+v", g)
		}
		age := time.Since(start.Add(time.Duration(s.Expired) * (time.Minute + 200*time.Millisecond)))
		if age > time.Hour+23*time.Minute {
			t.Errorf("the oldest was appended %v ago", age)
		}
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if s := checkAccount(t, log); s.Expired != 100 || s.Backlog != 0 {
			t.Errorf("an hour later: %+v", s)
		}
		log = restart(t, disk, log, opt)
		if s := checkAccount(t, log); s.Expired != 100 || s.Damage != 0 {
			t.Errorf("after a power cut: %+v", s)
		}
	})
}

// TestReserve: what is set aside is on the medium before it is needed, stays
// when it is not, and is there when the disk is full.
func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		opt := small
		opt.Reserve = 160 << 10
		log := open(t, disk, opt)
		synctest.Wait()
		if n := len(disk.Names()); n != 5+1 {
			t.Errorf("%d files", n)
		}
		disk.SetFaults(durabletest.Faults{Space: 1})
		accepted := fill(t, log)
		if accepted < 100 {
			t.Errorf("%d records of 1000 bytes on a full disk with 160 KiB set aside", accepted)
		}
		wait(t, log, accepted)
		log.Ack(accepted + 1)
		saved()
		if n := len(disk.Names()); n != 5+1 {
			t.Errorf("%d files when all was acknowledged", n)
		}
		restart(t, disk, log, opt)
		synctest.Wait()
		if n := len(disk.Names()); n != 5+1 {
			t.Errorf("%d files after a restart on a full disk", n)
		}
	})
}
