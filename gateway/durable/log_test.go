package durable_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

func TestCommitDelayIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), durable.Options{})
		start := time.Now()
		first := add(t, log, 10)
		time.Sleep(150 * time.Millisecond)
		second := add(t, log, 10)
		wait(t, log, first)
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("first record durable after %v", d)
		}
		wait(t, log, second)
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("second record durable after %v", d)
		}
		third := add(t, log, 10)
		wait(t, log, third)
		if d := time.Since(start); d != 400*time.Millisecond {
			t.Errorf("third record durable after %v", d)
		}
		if n := log.Stats().Commits; n != 2 {
			t.Errorf("%d commits", n)
		}
	})
}

func TestFullFrameIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), durable.Options{})
		start := time.Now()
		var last durable.Seq
		for range 65 {
			last = add(t, log, 1<<10)
		}
		wait(t, log, last-2) // the last two begin the next frame
		if d := time.Since(start); d != 0 {
			t.Errorf("durable after %v", d)
		}
		wait(t, log, last)
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("rest durable after %v", d)
		}
	})
}

// cursorSyncs counts the syncs of the cursor file: what it costs flash.
func cursorSyncs(disk *durabletest.Disk) *atomic.Int32 {
	var n atomic.Int32
	disk.SetFaults(durabletest.Faults{Before: func(op, name string) {
		if op == "sync" && name == "cursor" {
			n.Add(1)
		}
	}})
	return &n
}

func TestCursorIsSavedAfterTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, durable.Options{})
		frames(t, log, 1, 4, 10)
		syncs := cursorSyncs(disk)
		log.Ack(2)
		time.Sleep(3 * time.Second)
		log.Ack(3) // does not put it off
		time.Sleep(2*time.Second - time.Nanosecond)
		synctest.Wait()
		if n := syncs.Load(); n != 0 {
			t.Errorf("%d syncs before the interval", n)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := syncs.Load(); n != 1 {
			t.Errorf("%d syncs after the interval", n)
		}
		time.Sleep(time.Hour)
		if n := syncs.Load(); n != 1 {
			t.Errorf("%d syncs while nothing changed", n)
		}
		disk.Cut()
		if got := open(t, disk, durable.Options{}).Acked(); got != 3 {
			t.Errorf("cursor %d after a power cut", got)
		}
	})
}

func TestCursorTravelsWithFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, durable.Options{})
		syncs := cursorSyncs(disk)
		for range 100 {
			seq := add(t, log, 10)
			wait(t, log, seq)
			log.Ack(seq)
			time.Sleep(time.Second)
		}
		if n := syncs.Load(); n != 0 {
			t.Errorf("%d syncs of the cursor file", n)
		}
		disk.Cut()
		if got := open(t, disk, durable.Options{}).Acked(); got < 99 {
			t.Errorf("cursor %d after a power cut", got)
		}
	})
}

// TestAppendWaitsForTheDisk: a slow disk slows the producers, and memory stays
// within twice CommitBytes and a record.
func TestAppendWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, durable.Options{})
		synctest.Wait()
		disk.SetFaults(durabletest.Faults{Before: func(op, _ string) {
			if op == "sync" {
				time.Sleep(10 * time.Second)
			}
		}})
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 300 {
				add(t, log, 1<<10)
			}
		})
		time.Sleep(5 * time.Second)
		if s := log.Stats(); s.Durable != 1 || s.Appended < 126 || s.Appended > 130 {
			t.Errorf("%d records accepted, durable below %d, while the disk was busy", s.Appended, s.Durable)
		}
		wg.Wait()
	})
}

func TestRecordSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), small)
		sizes := []int{0, 1, 127, 128, 4096, 8 << 10}
		for _, n := range sizes {
			wait(t, log, add(t, log, n))
		}
		r := log.NewReader(1)
		for _, n := range sizes {
			if rec, ok, err := r.Next(); !ok || err != nil || len(rec.Data) != n {
				t.Errorf("record of %d bytes: got %d, %v, %v", n, len(rec.Data), ok, err)
			}
		}
		_, err := log.Append(make([]byte, 8<<10+1))
		if !errors.Is(err, durable.ErrTooLarge) {
			t.Errorf("record of 8193 bytes: %v", err)
		}
	})
}

func TestReaderSeesOnlyWhatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), durable.Options{})
		r := log.NewReader(1)
		seq := add(t, log, 10)
		if _, ok, err := r.Next(); ok || err != nil {
			t.Errorf("before the commit: %v, %v", ok, err)
		}
		start := time.Now()
		if err := log.WaitFor(t.Context(), seq); err != nil || time.Since(start) != 200*time.Millisecond {
			t.Errorf("WaitFor: %v after %v", err, time.Since(start))
		}
		if rec, ok, err := r.Next(); !ok || err != nil || rec.Seq != seq {
			t.Errorf("after the commit: %d, %v, %v", rec.Seq, ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := log.WaitFor(ctx, seq+1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor: %v", err)
		}
	})
}

func TestSeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), small)
		frames(t, log, 30, 4, 500)
		r := log.NewReader(1)
		for _, seq := range []durable.Seq{1, 70, 71, 3, 120, 2} {
			r.Seek(seq)
			for want := seq; want < min(seq+60, 121); want++ {
				if rec, ok, err := r.Next(); !ok || err != nil || rec.Seq != want {
					t.Fatalf("sought %d: got %d, %v, %v instead of %d", seq, rec.Seq, ok, err, want)
				}
			}
		}
	})
}

func TestAckSettlesOnlyWhatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := open(t, durabletest.New(1), durable.Options{})
		frames(t, log, 1, 3, 10)
		add(t, log, 10)
		log.Ack(100)
		log.Ack(2) // never backwards
		if got := log.Acked(); got != 4 {
			t.Errorf("cursor %d, want 4", got)
		}
		if s := checkAccount(t, log); s.Delivered != 3 || s.Backlog != 1 {
			t.Errorf("delivered %d, backlog %d", s.Delivered, s.Backlog)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, durable.Options{})
		frames(t, log, 1, 3, 10)
		log.Ack(3)
		pending := add(t, log, 10)
		start := time.Now()
		if err := log.Close(); err != nil || time.Since(start) != 0 {
			t.Errorf("close: %v after %v", err, time.Since(start))
		}
		wait(t, log, pending)
		for what, err := range map[string]error{
			"append":   second(log.Append(nil)),
			"wait":     log.Wait(t.Context(), pending+1),
			"wait for": log.WaitFor(t.Context(), 1),
			"read":     third(log.NewReader(1).Next()),
		} {
			if !errors.Is(err, durable.ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := log.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		disk.Cut()
		log = open(t, disk, durable.Options{})
		if got := readAll(t, log); !slices.Equal(got, seqs(3, 5)) {
			t.Errorf("after a power cut: %v", got)
		}
	})
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }

// TestAccountSurvives: the counters are of the log, not of the process.
func TestAccountSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		opt := small
		opt.WhenFull = durable.DropOldest
		log := open(t, disk, opt)
		frames(t, log, 100, 5, 1000)
		log.Ack(log.Acked() + 20)
		before := checkAccount(t, log)
		log.Close()
		after := checkAccount(t, open(t, disk, opt))
		if before.Overflow == 0 || before.Delivered != 20 {
			t.Errorf("before: %+v", before)
		}
		before.Events, before.LastLoss, before.BacklogBytes = after.Events, after.LastLoss, after.BacklogBytes
		if before != after {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
	})
}

func TestFilesAndDescriptorsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, durable.Options{SegmentBytes: 32 << 10, MaxBytes: 4 << 20})
		frames(t, log, 100, 7, 1000)
		if n := len(segmentsOf(disk)); n < 20 {
			t.Fatalf("only %d segments", n)
		}
		if got := readAll(t, log); len(got) != 700 {
			t.Errorf("read %d records", len(got))
		}
		log.Ack(701)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if names := disk.Names(); len(names) > 4 { // tail, cursor, two spares
			t.Errorf("left of an empty log: %v", names)
		}
		if n := disk.Stats().MaxOpen; n > 3 {
			t.Errorf("%d files were open at once", n)
		}
	})
}

func segmentsOf(disk *durabletest.Disk) []string {
	return slices.DeleteFunc(disk.Names(), func(n string) bool { return !strings.HasSuffix(n, ".seg") })
}

// TestSteadyStateRecycles: with the link up no file is ever made or removed.
func TestSteadyStateRecycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		log := open(t, disk, small)
		files := map[string]bool{}
		for range 200 {
			seq := add(t, log, 4000)
			wait(t, log, seq)
			log.Ack(seq + 1)
			for _, n := range disk.Names() {
				files[n] = true
			}
			if n := len(disk.Names()); n > 5 {
				t.Fatalf("%d files: %v", n, disk.Names())
			}
		}
		if s := checkAccount(t, log); s.Delivered != 200 {
			t.Errorf("%+v", s)
		}
	})
}

func TestSegmentSizeMayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		for _, size := range []int64{32 << 10, 64 << 10, 40 << 10} {
			log := open(t, disk, durable.Options{SegmentBytes: size, MaxBytes: 1 << 20})
			frames(t, log, 10, 5, 1000)
			log.Close()
		}
		log := open(t, disk, small)
		if got := readAll(t, log); !slices.Equal(got, seqs(1, 151)) {
			t.Errorf("read %v", got)
		}
	})
}

func TestOpeningReadsOneSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := durabletest.New(1)
		opt := durable.Options{SegmentBytes: 32 << 10, MaxBytes: 4 << 20}
		log := open(t, disk, opt)
		frames(t, log, 100, 7, 1000)
		log.Close()
		read := map[string]bool{}
		disk.SetFaults(durabletest.Faults{Before: func(op, name string) { read[name] = read[name] || op == "read" }})
		log, err := durable.OpenFS(disk.Start(), opt)
		if err != nil {
			t.Fatal(err)
		}
		disk.SetFaults(durabletest.Faults{})
		defer log.Close()
		segments := segmentsOf(disk)
		if newest := segments[len(segments)-1]; len(read) != 2 || !read["cursor"] || !read[newest] {
			t.Errorf("of %d segments %v were read", len(segments), read)
		}
	})
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opt := small
		opt.WhenFull = durable.DropOldest
		log := open(t, durabletest.New(1), opt)
		ctx, cancel := context.WithCancel(t.Context())
		var users, others sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 100 {
					seq, err := log.Append(make([]byte, 1000))
					if err == nil {
						err = log.Wait(ctx, seq)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 2 {
			others.Go(func() {
				r := log.NewReader(1)
				for last := durable.Seq(0); log.WaitFor(ctx, last+1) == nil; {
					rec, ok, err := r.Next()
					if err != nil || (ok && rec.Seq <= last) {
						t.Errorf("got %d after %d, %v", rec.Seq, last, err)
					}
					if ok {
						last = rec.Seq
						log.Ack(last - min(last, 20))
					}
				}
			})
		}
		others.Go(func() {
			for ctx.Err() == nil {
				checkAccount(t, log)
				time.Sleep(10 * time.Millisecond)
			}
		})
		users.Wait()
		cancel()
		others.Wait()
		if s := checkAccount(t, log); s.Appended != 400 || s.Damage != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opt := range []durable.Options{
		{SegmentBytes: 100_000},
		{SegmentBytes: 4096},
		{MaxBytes: 1 << 20},
		{CommitDelay: -1},
		{CursorEvery: -1},
	} {
		if log, err := durable.OpenFS(durabletest.New(1).Start(), opt); err == nil {
			log.Close()
			t.Errorf("%+v was accepted", opt)
		}
	}
}
