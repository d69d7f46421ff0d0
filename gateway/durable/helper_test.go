package durable_test

import (
	"bytes"
	"fmt"
	"testing"

	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
)

// small makes several segments out of little data; everything else is default.
var small = durable.Options{SegmentBytes: 32 << 10, MaxBytes: 256 << 10}

func open(t *testing.T, disk *durabletest.Disk, opt durable.Options) *durable.Log {
	t.Helper()
	log, err := durable.OpenFS(disk.Start(), opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		log.Close()
		for _, m := range disk.Stats().Misuse {
			t.Errorf("misuse of the disk: %s", m)
		}
	})
	return log
}

// content is what the tests write as record seq.
func content(seq durable.Seq, size int) []byte {
	return append(fmt.Appendf(nil, "record %d ", seq), bytes.Repeat([]byte{byte(seq)}, size)...)[:size]
}

func add(t *testing.T, log *durable.Log, size int) durable.Seq {
	t.Helper()
	seq, err := log.Append(content(durable.Seq(log.Stats().Appended+1), size))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return seq
}

func wait(t *testing.T, log *durable.Log, seq durable.Seq) {
	t.Helper()
	if err := log.Wait(t.Context(), seq); err != nil {
		t.Fatalf("wait for %d: %v", seq, err)
	}
}

// frames writes n frames of perFrame records each.
func frames(t *testing.T, log *durable.Log, n, perFrame, size int) {
	t.Helper()
	for range n {
		var last durable.Seq
		for range perFrame {
			last = add(t, log, size)
		}
		wait(t, log, last)
	}
}

// readAll returns the numbers of all records from the cursor on.
func readAll(t *testing.T, log *durable.Log) []durable.Seq {
	t.Helper()
	var got []durable.Seq
	r := log.NewReader(log.Acked())
	for {
		rec, ok, err := r.Next()
		if err != nil {
			t.Fatalf("read after %d records: %v", len(got), err)
		}
		if !ok {
			return got
		}
		if want := content(rec.Seq, len(rec.Data)); !bytes.Equal(rec.Data, want) {
			t.Fatalf("record %d is %.20q, want %.20q", rec.Seq, rec.Data, want)
		}
		got = append(got, rec.Seq)
	}
}

// seqs returns the numbers from up to, but not including, to.
func seqs(from, to durable.Seq) []durable.Seq {
	var s []durable.Seq
	for ; from < to; from++ {
		s = append(s, from)
	}
	return s
}

func checkAccount(t *testing.T, log *durable.Log) durable.Stats {
	t.Helper()
	s := log.Stats()
	if s.Appended != s.Delivered+s.Overflow+s.Expired+s.Damage+s.Dead+s.Backlog {
		t.Errorf("account does not close: %+v", s)
	}
	return s
}
