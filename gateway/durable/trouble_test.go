package durable_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// Full disks, failing disks, and what of it others see.

func TestRejectAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		accepted := fill(t, log)
		if accepted < 160 || accepted > 256 { // of 256 KiB
			t.Errorf("%d records of 1000 bytes accepted", accepted)
		}
		wait(t, log, accepted)
		if n := len(disk.Names()); n != 8+1 {
			t.Errorf("%d files", n)
		}
		_, err := log.Append(make([]byte, 1000))
		if !errors.Is(err, durable.ErrFull) {
			t.Errorf("append: %v", err)
		}
		if s := checkAccount(t, log); s.Refused != 2 || s.Backlog != uint64(accepted) {
			t.Errorf("%+v", s)
		}

		log.Ack(accepted/2 + 1) // no time passes: room is there at once
		if more := fill(t, log); more < accepted/3 {
			t.Errorf("%d more accepted after half was acknowledged", more)
		}
		s := checkAccount(t, log)
		wait(t, log, durable.Seq(s.Appended))
		if got := readAll(t, log); !slices.Equal(got, seqs(accepted/2+1, durable.Seq(s.Appended)+1)) {
			t.Errorf("read %v", got)
		}
	})
}

// fill appends until the log refuses and returns how many it took.
func fill(t *testing.T, log *durable.Log) durable.Seq {
	t.Helper()
	for n := durable.Seq(0); n < 10_000; n++ {
		_, err := log.Append(content(durable.Seq(log.Stats().Appended+1), 1000))
		if errors.Is(err, durable.ErrFull) {
			return n
		}
		if err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	t.Fatal("the log never became full")
	return 0
}

func TestDropOldestAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		opt := small
		opt.WhenFull = durable.DropOldest
		log := open(t, disk, opt)
		r := log.NewReader(1)
		for want := range durable.Seq(3) { // a reader that is overtaken
			wait(t, log, add(t, log, 1000))
			if rec, _, _ := r.Next(); rec.Seq != want+1 {
				t.Fatalf("read %d", rec.Seq)
			}
		}
		log.Ack(3)
		frames(t, log, 400, 1, 1000)
		if n := len(disk.Names()); n > 8+1 {
			t.Errorf("%d files", n)
		}
		s := checkAccount(t, log)
		if s.Delivered != 2 || s.Overflow == 0 || s.Damage != 0 {
			t.Errorf("%+v", s)
		}
		if got := readAll(t, log); !slices.Equal(got, seqs(durable.Seq(3+s.Overflow), 404)) {
			t.Errorf("read %v", got)
		}
		if loss := s.LastLoss; loss.To != log.Acked() || loss.Reason != durable.Overflow {
			t.Errorf("last loss %+v", loss)
		}
		if rec, ok, err := r.Next(); !ok || err != nil || rec.Seq != log.Acked() {
			t.Errorf("overtaken reader: %d, %v, %v; cursor %d", rec.Seq, ok, err, log.Acked())
		}
	})
}

// TestShrunkLimit: a smaller limit refuses until it is met, or drops at once,
// counted.
func TestShrunkLimit(t *testing.T) {
	for _, policy := range []durable.WhenFull{durable.Reject, durable.DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(1)
			log := open(t, disk, small)
			fill(t, log)
			log.Close()
			log = open(t, disk, durable.Options{SegmentBytes: 32 << 10, MaxBytes: 128 << 10, WhenFull: policy})
			before := checkAccount(t, log)
			_, err := log.Append(make([]byte, 8<<10))
			switch {
			case policy == durable.Reject && !errors.Is(err, durable.ErrFull):
				t.Errorf("append: %v", err)
			case policy == durable.DropOldest && err != nil:
				t.Errorf("append: %v", err)
			}
			after := checkAccount(t, log)
			if policy == durable.Reject && after.Backlog != before.Backlog {
				t.Errorf("reject lost %d", before.Backlog-after.Backlog)
			}
			if files := len(disk.Names()) - 1; policy == durable.DropOldest && (files > 4 || after.Overflow == 0) {
				t.Errorf("%d files, overflow %d", files, after.Overflow)
			}
		})
	}
}

// TestDiskFull: somebody else fills the disk. Nothing accepted is lost, and the
// log goes on by itself when there is space again.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		disk.SetFaults(durabletest.Faults{Space: 120 << 10})
		log := open(t, disk, small)
		accepted := fill(t, log)
		_, err := log.Append(make([]byte, 1000))
		if !errors.Is(err, durable.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("append: %v", err)
		}
		wait(t, log, accepted)
		if got := readAll(t, log); !slices.Equal(got, seqs(1, accepted+1)) {
			t.Errorf("read %v", got)
		}
		disk.SetFaults(durabletest.Faults{})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		frames(t, log, 10, 1, 1000)
		checkAccount(t, log)
	})
}

// TestDiskFullDropsOldest: on a full disk DropOldest lives on what it has.
func TestDiskFullDropsOldest(t *testing.T) {
	for _, space := range []int64{120 << 10, 45 << 10} { // three segments; one
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(1)
			disk.SetFaults(durabletest.Faults{Space: space})
			opt := small
			opt.WhenFull = durable.DropOldest
			log := open(t, disk, opt)
			frames(t, log, 300, 1, 1000)
			s := checkAccount(t, log)
			if got := readAll(t, log); !slices.Equal(got, seqs(durable.Seq(s.Overflow+1), 301)) {
				t.Errorf("overflow %d, read %v", s.Overflow, got)
			}
		})
	}
}

// TestFailedSync: the batch goes to a new segment, nobody notices.
func TestFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 3, 2, 1000)
		failed := false
		disk.SetFaults(durabletest.Faults{Sync: func(string) bool {
			fail := !failed
			failed = true
			return fail
		}})
		frames(t, log, 3, 2, 1000)
		if s := checkAccount(t, log); s.Rewrites != 1 || s.Failed != nil || len(segmentsOf(disk)) != 2 {
			t.Errorf("%d segments, %+v", len(segmentsOf(disk)), s)
		}
		disk.Cut()
		log = open(t, disk, small)
		if got := readAll(t, log); !slices.Equal(got, seqs(1, 13)) {
			t.Errorf("read %v", got)
		}
	})
}

// TestFailedDisk: nothing is acknowledged while the disk fails; what was
// accepted is stored, once and in order, when it recovers.
func TestFailedDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 3, 2, 1000)
		disk.SetFaults(durabletest.Faults{Sync: func(string) bool { return true }})
		seq := add(t, log, 1000)
		if err := log.Wait(t.Context(), seq); !errors.Is(err, syscall.EIO) {
			t.Errorf("wait: %v", err)
		}
		if _, err := log.Append(nil); !errors.Is(err, syscall.EIO) {
			t.Errorf("append: %v", err)
		}
		if err := log.Wait(t.Context(), seq); !errors.Is(err, syscall.EIO) {
			t.Errorf("second wait: %v", err)
		}
		if got := readAll(t, log); !slices.Equal(got, seqs(1, 7)) {
			t.Errorf("read %v while the disk fails", got)
		}
		time.Sleep(time.Minute)
		if s := checkAccount(t, log); s.Failed == nil || s.Durable != seq {
			t.Errorf("%+v", s)
		}
		disk.SetFaults(durabletest.Faults{})
		if err := log.WaitFor(t.Context(), seq); err != nil {
			t.Errorf("wait for: %v", err)
		}
		wait(t, log, seq)
		frames(t, log, 1, 1, 1000)
		if got := readAll(t, log); !slices.Equal(got, seqs(1, 9)) {
			t.Errorf("read %v", got)
		}
		if files := len(disk.Names()); files > 5 {
			t.Errorf("%v left behind", disk.Names())
		}
	})
}

func TestCloseOfAFailedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		synctest.Wait()
		disk.SetFaults(durabletest.Faults{Sync: func(string) bool { return true }})
		add(t, log, 10)
		if err := log.Close(); !errors.Is(err, syscall.EIO) {
			t.Errorf("close: %v", err)
		}
	})
}

// TestReadError: it is returned, nothing is skipped, and the next call may work.
func TestReadError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 40, 2, 1000)
		r := log.NewReader(1)
		for want := durable.Seq(1); want <= 80; {
			disk.SetFaults(durabletest.Faults{Read: func(string, int64) bool { return want%7 == 0 }})
			rec, ok, err := r.Next()
			if err != nil {
				if !errors.Is(err, syscall.EIO) {
					t.Fatalf("read: %v", err)
				}
				disk.SetFaults(durabletest.Faults{})
				rec, ok, err = r.Next()
			}
			if !ok || err != nil || rec.Seq != want {
				t.Fatalf("got %d, %v, %v instead of %d", rec.Seq, ok, err, want)
			}
			want++
		}
		checkAccount(t, log)
	})
}

// TestReadErrorAtStart: the log does not open, and opens later as if nothing had
// been.
func TestReadErrorAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 40, 2, 1000)
		log.Ack(11)
		log.Close()
		for _, file := range []string{"cursor", segmentsOf(disk)[len(segmentsOf(disk))-1]} {
			for _, off := range []int64{0, 4096, 8192} {
				disk.SetFaults(durabletest.Faults{Read: func(name string, at int64) bool { return name == file && at >= off }})
				if file == "cursor" && off == 8192 {
					continue // beyond its end
				}
				log, err := durable.OpenFS(disk.Start(), small)
				if err == nil {
					log.Close()
				}
				if !errors.Is(err, syscall.EIO) {
					t.Errorf("%s unreadable from %d: %v", file, off, err)
				}
			}
		}
		disk.SetFaults(durabletest.Faults{})
		log = open(t, disk, small)
		if got := readAll(t, log); !slices.Equal(got, seqs(11, 81)) {
			t.Errorf("read %v", got)
		}
	})
}

// TestFailedSyncThenKilled: what the kernel only pretends to have written is
// written before it is trusted.
func TestFailedSyncThenKilled(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(seed)
			log := open(t, disk, small)
			frames(t, log, 3, 2, 1000)
			disk.SetFaults(durabletest.Faults{Sync: func(string) bool { return true }})
			if err := log.Wait(t.Context(), add(t, log, 1000)); !errors.Is(err, syscall.EIO) {
				t.Errorf("wait: %v", err)
			}
			disk.Kill()
			log.Close()
			disk.SetFaults(durabletest.Faults{})
			log = open(t, disk, small)
			if got := readAll(t, log); !slices.Equal(got, seqs(1, 8)) {
				t.Errorf("seed %d: the page cache shows %v", seed, got)
			}
			wait(t, log, add(t, log, 1000))
			disk.Cut()
			log.Close()
			log = open(t, disk, small)
			if got := readAll(t, log); !slices.Equal(got, seqs(1, 9)) {
				t.Errorf("seed %d: after a power cut: %v", seed, got)
			}
			if s := checkAccount(t, log); s.Damage != 0 {
				t.Errorf("seed %d: damage %d", seed, s.Damage)
			}
		})
	}
}

// TestReaderIsOvertaken: the segment under a reader is emptied and used again
// between two reads. That is no damage.
func TestReaderIsOvertaken(t *testing.T) {
	for n := range 60 { // at each read of the file
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(1)
			log := open(t, disk, small)
			frames(t, log, 15, 2, 1000) // one segment and a bit
			var reads atomic.Int32
			disk.SetFaults(durabletest.Faults{Before: func(op, _ string) {
				if op == "read" && reads.Add(1) == int32(n) {
					log.Ack(31)
					frames(t, log, 30, 2, 1000)
				}
			}})
			r := log.NewReader(1)
			var last durable.Seq
			for {
				rec, ok, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if want := content(rec.Seq, 1000); !bytes.Equal(rec.Data, want) || rec.Seq <= last {
					t.Fatalf("got %d, %.20q after %d", rec.Seq, rec.Data, last)
				}
				last = rec.Seq
			}
			s := checkAccount(t, log)
			if s.Damage != 0 || last != durable.Seq(s.Appended) {
				t.Errorf("overtaken at read %d: last %d, %+v", n, last, s)
			}
		})
	}
}

// TestTornReservation: a reserved file of the wrong size is no reservation.
func TestTornReservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		frames(t, log, 2, 2, 1000)
		log.Close()
		for _, name := range disk.Names() {
			if strings.HasSuffix(name, ".free") {
				truncate(disk, name, 5000)
			}
		}
		log = open(t, disk, small)
		frames(t, log, 20, 2, 1000)
		if s := checkAccount(t, log); s.Rewrites != 0 {
			t.Errorf("%d rewrites", s.Rewrites)
		}
	})
}

// TestReusedUnderItsOldName: nothing is written to an emptied segment that may
// come back, after a power cut, under the name it had.
func TestReusedUnderItsOldName(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) { testReusedUnderItsOldName(t, durabletest.New(seed)) })
	}
}

func testReusedUnderItsOldName(t *testing.T, disk *durabletest.Disk) {
	log := open(t, disk, small)
	frames(t, log, 3, 2, 1000)
	log.Ack(7)
	time.Sleep(5 * time.Second)
	synctest.Wait()
	fails := 2 // the frame, then the header of the next segment
	disk.SetFaults(durabletest.Faults{Sync: func(string) bool { fails--; return fails >= 0 }})
	if err := log.Wait(t.Context(), add(t, log, 1000)); !errors.Is(err, syscall.EIO) {
		t.Errorf("wait: %v", err)
	}
	synctest.Wait() // the first segment is emptied
	disk.SetFaults(durabletest.Faults{Names: func() bool { return true }})
	time.Sleep(5 * time.Second)
	synctest.Wait() // and would be used again
	disk.Cut()
	log.Close()
	disk.SetFaults(durabletest.Faults{})
	log = open(t, disk, small)
	if s := checkAccount(t, log); s.Damage != 0 || log.Acked() != 7 {
		t.Errorf("cursor %d, %+v", log.Acked(), s)
	}
}

// TestRemovedSegmentDoesNotComeBack: a segment is begun but its name cannot be
// made durable, so it is removed, and the process dies. Then the power fails
// while the log is opened.
func TestRemovedSegmentDoesNotComeBack(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			disk := durabletest.New(seed)
			log := open(t, disk, small)
			frames(t, log, 3, 2, 1000)
			syncs, names := 0, 0
			disk.SetFaults(durabletest.Faults{
				Sync:  func(string) bool { syncs++; return syncs == 1 }, // the frame
				Names: func() bool { names++; return names == 2 },       // renamed, then the directory
				Before: func(op, name string) {
					if op == "write" && names > 2 {
						disk.Kill() // before another segment is tried
					}
				},
			})
			if err := log.Wait(t.Context(), add(t, log, 1000)); err == nil {
				t.Error("the record was acknowledged")
			}
			disk.Kill()
			log.Close()
			disk.SetFaults(durabletest.Faults{})
			disk.CutAfter(int(seed)%8 + 1)
			if log, err := durable.OpenFS(disk.Start(), small); err == nil {
				log.Close()
			}
			disk.Cut()
			log = open(t, disk, small)
			if s := checkAccount(t, log); s.Damage != 0 {
				t.Errorf("seed %d: damage %d of %d", seed, s.Damage, s.Appended)
			}
		})
	}
}
