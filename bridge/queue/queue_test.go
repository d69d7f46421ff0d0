package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// TestLanes: what fills one lane is nothing to the others.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open(queue.Config{Dir: t.TempDir(), Lanes: map[queue.Name]queue.Limits{queue.Bulk: {MaxBytes: 4 << 20}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		big := topic.Message{Topic: "a", Payload: make([]byte, 200_000)}
		for range 30 {
			_, err = q.Lane(queue.Bulk).Append(big, time.Now())
		}
		if !errors.Is(err, queue.ErrFull) {
			t.Errorf("bulk: %v", err)
		}
		for _, name := range []queue.Name{queue.Alarm, queue.Telemetry} {
			if seq, err := q.Lane(name).Append(big, time.Now()); err != nil || seq != 1 {
				t.Errorf("%s: %d, %v", name, seq, err)
			}
		}
	})
}

// TestGap: what was dropped is told once, in its place, with its times, and is
// remembered over a restart.
func TestGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, limits := t.TempDir(), queue.Limits{MaxBytes: 4 << 20, WhenFull: queue.DropOldest}
		lane := open(t, dir, limits)
		start := time.Now()
		m := topic.Message{Topic: "a", Payload: make([]byte, 50_000)}
		for range 120 { // 6 MB
			add(t, lane, m)
			time.Sleep(time.Second)
		}
		lost := checkStats(t, lane).Lost
		for try := range 3 {
			r := lane.NewReader()
			rec, ok, err := r.Next()
			if !ok || err != nil || rec.Gap == nil || rec.Gap.Messages != lost || rec.Gap.From != 1 || rec.Gap.To != queue.Seq(lost+1) {
				t.Fatalf("try %d: %+v, %v, %v; %d lost", try, rec.Gap, ok, err, lost)
			}
			if last := start.Add(time.Duration(lost) * time.Second); !rec.Gap.First.Equal(start) || !rec.Gap.Last.Equal(last) {
				t.Errorf("try %d: from %v to %v, want %v to %v", try, rec.Gap.First, rec.Gap.Last, start, last)
			}
			rec, _, _ = r.Next()
			if rec.Seq != queue.Seq(lost+1) || rec.Gap != nil || len(rec.Message.Payload) != 50_000 {
				t.Errorf("try %d: behind the gap %d", try, rec.Seq)
			}
			lane.Close()
			lane = open(t, dir, limits)
		}
		rec, _, _ := lane.NewReader().Next()
		lane.Told(*rec.Gap)
		if rec, _, _ := lane.NewReader().Next(); rec.Gap != nil || rec.Seq != queue.Seq(lost+1) {
			t.Errorf("told, and yet %+v", rec.Gap)
		}
		if rec, _, _ := lane.NewReaderFrom(queue.Seq(lost + 5)).Next(); rec.Gap != nil || rec.Seq != queue.Seq(lost+5) {
			t.Errorf("further on: %+v", rec)
		}
	})
}

// TestBury: a message that upstream does not take leaves the way to the others,
// and can be looked at.
func TestBury(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		lane := open(t, dir, queue.Limits{})
		for i := range 3 {
			add(t, lane, message(i))
		}
		if err := lane.Wait(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		r := lane.NewReader()
		if err := lane.Bury(t.Context(), next(t, r), "hangs up"); err != nil {
			t.Fatal(err)
		}
		r.Rewind()
		if rec := next(t, r); rec.Seq != 2 {
			t.Errorf("behind the buried one: %d", rec.Seq)
		}
		lane.Close()
		lane = open(t, dir, queue.Limits{})
		if s := checkStats(t, lane); s.Dead != 1 || s.Lost != 0 || s.Backlog != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAge: what is older than Keep goes, and is counted as that.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := open(t, t.TempDir(), queue.Limits{Keep: time.Hour})
		add(t, lane, message(1))
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if s := checkStats(t, lane); s.Backlog != 1 {
			t.Errorf("before: %+v", s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := checkStats(t, lane); s.Expired != 1 || s.Backlog != 0 {
			t.Errorf("after: %+v", s)
		}
	})
}

// TestRoom: 1 kB a second fill 4 MiB in about an hour.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := open(t, t.TempDir(), queue.Limits{MaxBytes: 4 << 20})
		if s := lane.Stats(); s.Room != 10*365*24*time.Hour {
			t.Errorf("without messages: %v", s.Room)
		}
		m := topic.Message{Topic: "a", Payload: make([]byte, 860)} // and 128 bytes of frame, and its own head
		for range 1800 {
			add(t, lane, m)
			time.Sleep(time.Second)
			lane.Stats()
		}
		s := lane.Stats()
		if s.Rate < 990 || s.Rate > 1010 {
			t.Errorf("%.1f bytes per second", s.Rate)
		}
		if want := time.Duration(float64(s.MaxBytes-s.BacklogBytes) / s.Rate * float64(time.Second)); (s.Room - want).Abs() > time.Second {
			t.Errorf("room for %v, want %v", s.Room, want)
		}
		if s.Room < 30*time.Minute || s.Room > 45*time.Minute {
			t.Errorf("half an hour later there is room for %v", s.Room)
		}
	})
}

// TestDiskAwayAtStart: a lane that cannot be read is not taken for empty, the
// others work, and it is there when the disk is.
func TestDiskAwayAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disks := map[string]*durabletest.Disk{}
		folder := func(name string) durable.FS {
			if disks[name] == nil {
				disks[name] = durabletest.New(1)
			}
			return disks[name].Start()
		}
		var text bytes.Buffer
		start := func() *queue.Queue {
			q, err := queue.OpenFS(queue.Config{}, folder, slog.New(slog.NewTextHandler(&text, nil)))
			if err != nil {
				t.Fatal(err)
			}
			return q
		}
		q := start()
		lane := q.Lane(queue.Telemetry)
		seq, err := lane.Append(message(1), time.Now())
		if err != nil || lane.Wait(t.Context(), seq) != nil {
			t.Fatal(err)
		}
		q.Close()

		text.Reset()
		disks["telemetry"].SetFaults(durabletest.Faults{Read: func(string, int64) bool { return true }})
		q = start()
		defer q.Close()
		lane = q.Lane(queue.Telemetry)
		r := lane.NewReader()
		if _, err := lane.Append(message(2), time.Now()); !errors.Is(err, syscall.EIO) {
			t.Errorf("append: %v", err)
		}
		if _, ok, err := r.Next(); ok || err != nil || !errors.Is(lane.Stats().Failed, syscall.EIO) {
			t.Errorf("next: %v, %v; %v", ok, err, lane.Stats().Failed)
		}
		if _, err := q.Lane(queue.Alarm).Append(message(3), time.Now()); err != nil {
			t.Errorf("alarm: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := lane.WaitFor(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait for: %v", err)
		}
		disks["telemetry"].SetFaults(durabletest.Faults{})
		if err := lane.WaitFor(t.Context(), 1); err != nil {
			t.Errorf("wait for: %v", err)
		}
		if rec := next(t, r); rec.Seq != 1 {
			t.Errorf("read %d", rec.Seq)
		}
		if n := strings.Count(text.String(), "\n"); n != 2 || !strings.Contains(text.String(), "lane=telemetry") {
			t.Errorf("not one line for each transition:\n%s", text.String())
		}
	})
}

// TestEarlierLayout: a queue of an earlier version is not passed over in silence.
func TestEarlierLayout(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0000000000000001.seg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := queue.Open(queue.Config{Dir: dir}, nil); !errors.Is(err, queue.ErrVersion) {
		t.Errorf("%v", err)
	}
}

// TestClock: a clock that jumps changes neither the order nor the cursor, and what
// was received in 1970 is not too old.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		limits := queue.Limits{Keep: time.Hour}
		lane := open(t, dir, limits)
		var last queue.Seq
		for i, at := range []time.Time{time.Unix(0, 0), time.Now(), time.Now().AddDate(30, 0, 0), time.Now().Add(-time.Minute)} {
			seq, err := lane.Append(message(i), at)
			if err != nil {
				t.Fatal(err)
			}
			last = seq
		}
		if err := lane.Wait(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		lane.Ack(2)
		for range 2 {
			reader := lane.NewReader()
			for want := queue.Seq(2); want <= last; want++ {
				if r, ok, err := reader.Next(); r.Seq != want || !ok || err != nil || r.Gap != nil {
					t.Errorf("%+v, %v, %v; want %d", r, ok, err, want)
				}
			}
			lane.Close()
			lane = open(t, dir, limits)
		}
	})
}
