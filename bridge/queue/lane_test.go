package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/durable"
)

// lane is the telemetry lane of a queue of its own.
type lane struct {
	*queue.Lane
	queue *queue.Queue
}

func (l lane) Close() error { return l.queue.Close() }

func open(t *testing.T, dir string, limits queue.Limits) lane {
	t.Helper()
	q, err := queue.Open(queue.Config{Dir: dir, Lanes: map[queue.Name]queue.Limits{queue.Telemetry: limits}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return lane{q.Lane(queue.Telemetry), q}
}

func message(i int) topic.Message {
	return topic.Message{Topic: fmt.Sprintf("site/meter/%d", i), Payload: fmt.Appendf(nil, "%d", i), QoS: byte(i % 3), Retain: i%2 == 0}
}

func add(t *testing.T, lane lane, m topic.Message) queue.Seq {
	t.Helper()
	seq, err := lane.Append(m, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// next returns the next message, over a gap if there is one.
func next(t *testing.T, r *queue.Reader) queue.Record {
	t.Helper()
	rec, ok, err := r.Next()
	if rec.Gap != nil {
		rec, ok, err = r.Next()
	}
	if !ok || err != nil {
		t.Fatalf("next: %v, %v", ok, err)
	}
	return rec
}

func checkStats(t *testing.T, lane lane) queue.Stats {
	t.Helper()
	s := lane.Stats()
	if s.Balance() != 0 || s.Lost != s.Overflow+s.Expired+s.Damage {
		t.Errorf("account does not close: %+v", s)
	}
	return s
}

func TestLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		lane := open(t, dir, queue.Limits{})
		start := time.Now()
		for i := range 10 {
			if seq := add(t, lane, message(i)); seq != queue.Seq(i+1) {
				t.Errorf("message %d got number %d", i, seq)
			}
			time.Sleep(time.Millisecond)
		}
		if err := lane.Wait(t.Context(), 10); err != nil || time.Since(start) != 200*time.Millisecond {
			t.Errorf("wait: %v after %v", err, time.Since(start))
		}

		r := lane.NewReader()
		for i := range 10 {
			rec := next(t, r)
			if m := message(i); rec.Seq != queue.Seq(i+1) || rec.Message.Topic != m.Topic || rec.Message.QoS != m.QoS ||
				rec.Message.Retain != m.Retain || !bytes.Equal(rec.Message.Payload, m.Payload) {
				t.Errorf("message %d: %+v", i, rec)
			}
			if want := start.Add(time.Duration(i) * time.Millisecond); !rec.At.Equal(want) {
				t.Errorf("message %d received at %v, want %v", i, rec.At, want)
			}
		}
		if _, ok, err := r.Next(); ok || err != nil {
			t.Errorf("behind the last: %v, %v", ok, err)
		}

		lane.Ack(4)
		r.Rewind()
		if rec := next(t, r); rec.Seq != 4 {
			t.Errorf("after rewinding: %d", rec.Seq)
		}
		s := checkStats(t, lane)
		if s.Delivered != 3 || s.Backlog != 7 || s.BacklogBytes <= 0 || s.FlashBytes == 0 || s.Syncs == 0 {
			t.Errorf("%+v", s)
		}
		if want := start.Add(3 * time.Millisecond); !s.OldestAt.Equal(want) {
			t.Errorf("oldest received at %v, want %v", s.OldestAt, want)
		}

		lane.Close()
		lane = open(t, dir, queue.Limits{})
		if rec := next(t, lane.NewReader()); rec.Seq != 4 {
			t.Errorf("after a restart: %d", rec.Seq)
		}
		lane.Ack(11)
		if s := checkStats(t, lane); s.Backlog != 0 || !s.OldestAt.IsZero() || s.BacklogBytes != 0 || s.Delivered != 10 {
			t.Errorf("%+v", s)
		}
	})
}

func TestWaitForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := open(t, t.TempDir(), queue.Limits{CommitDelay: time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := lane.WaitFor(ctx, lane.Acked()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing there: %v", err)
		}
		start := time.Now()
		seq := add(t, lane, message(1))
		if err := lane.WaitFor(t.Context(), seq); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lane := open(t, t.TempDir(), queue.Limits{})
		m := topic.Message{Topic: "a", Payload: make([]byte, 255<<10)}
		if err := lane.Wait(t.Context(), add(t, lane, m)); err != nil {
			t.Error(err)
		}
		m.Payload = make([]byte, 256<<10)
		if _, err := lane.Append(m, time.Now()); !errors.Is(err, queue.ErrTooLarge) {
			t.Errorf("256 KiB: %v", err)
		}
		for _, m := range []topic.Message{{Topic: string(make([]byte, topic.MaxBytes+1))}, {Topic: "a", QoS: 3}} {
			if _, err := lane.Append(m, time.Now()); err == nil {
				t.Errorf("topic of %d bytes with QoS %d was taken", len(m.Topic), m.QoS)
			}
		}
	})
}

func TestFullLane(t *testing.T) {
	for _, policy := range []queue.WhenFull{queue.Reject, queue.DropOldest} {
		synctest.Test(t, func(t *testing.T) {
			lane := open(t, t.TempDir(), queue.Limits{MaxBytes: 4 << 20, WhenFull: policy})
			m := topic.Message{Topic: "a", Payload: make([]byte, 50_000)}
			refused := uint64(0)
			for range 120 { // 6 MB
				_, err := lane.Append(m, time.Now())
				if err != nil && !errors.Is(err, queue.ErrFull) {
					t.Fatal(err)
				}
				if err != nil {
					refused++
				}
			}
			s := checkStats(t, lane)
			switch {
			case s.Refused != refused || s.Appended+refused != 120:
				t.Errorf("%v: refused %d, %+v", policy, refused, s)
			case policy == queue.Reject && (refused == 0 || s.Lost != 0):
				t.Errorf("%v: %+v", policy, s)
			case policy == queue.DropOldest && (refused != 0 || s.Overflow == 0 || s.Overflow != s.Lost):
				t.Errorf("%v: %+v", policy, s)
			}
			if err := lane.Wait(t.Context(), queue.Seq(s.Appended)); err != nil {
				t.Error(err)
			}
			if rec := next(t, lane.NewReader()); rec.Seq != queue.Seq(s.Lost+1) {
				t.Errorf("%v: first is %d of %+v", policy, rec.Seq, s)
			}
		})
	}
}

// TestRecordOfALaterVersion: it is counted as damaged, and nobody waits for it.
func TestRecordOfALaterVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		log, err := durable.Open(filepath.Join(dir, "telemetry"), durable.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range []string{"\x01a\x00\x00", "\x01a\x08\x00", "\x01a\x00\x00", "\xff"} {
			if _, err := log.Append([]byte(rec)); err != nil {
				t.Fatal(err)
			}
		}
		log.Close()
		lane := open(t, dir, queue.Limits{})
		r := lane.NewReader()
		for _, want := range []queue.Seq{1, 3} {
			if rec := next(t, r); rec.Seq != want {
				t.Errorf("got %d, want %d", rec.Seq, want)
			}
		}
		if _, ok, err := r.Next(); ok || err != nil {
			t.Errorf("behind the last: %v, %v", ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := lane.WaitFor(ctx, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitFor: %v", err)
		}
		lane.Ack(4)
		if s := checkStats(t, lane); s.Damage != 2 || s.Delivered != 2 || s.Backlog != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestClosedLane(t *testing.T) {
	lane := open(t, t.TempDir(), queue.Limits{})
	r := lane.NewReader()
	if err := lane.Close(); err != nil {
		t.Fatal(err)
	}
	_, appendErr := lane.Append(message(1), time.Now())
	_, _, nextErr := r.Next()
	for what, err := range map[string]error{"append": appendErr, "next": nextErr, "wait": lane.WaitFor(t.Context(), 1)} {
		if !errors.Is(err, queue.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
