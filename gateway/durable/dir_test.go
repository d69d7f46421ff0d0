package durable_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/gateway/durable"
)

// The same on a real disk.

func TestRealFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "queue")
	opt := small
	opt.CommitDelay = time.Millisecond
	before := descriptors(t)
	for life := range durable.Seq(3) {
		log, err := durable.Open(path, opt)
		if err != nil {
			t.Fatal(err)
		}
		_, err = durable.Open(path, opt)
		if who := fmt.Sprintf("process %d;", os.Getpid()); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), who) {
			t.Errorf("second open: %v", err)
		}
		frames(t, log, 20, 4, 500)
		if got := readAll(t, log); !slices.Equal(got, seqs(log.Acked(), 80*(life+1)+1)) {
			t.Errorf("read %v", got)
		}
		log.Ack(80*life + 50)
		checkAccount(t, log)
		if n := descriptors(t) - before; n > 4 {
			t.Errorf("%d descriptors", n)
		}
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors instead of %d after the end", n, before)
	}
	checkReserved(t, path)
}

// checkReserved looks for segments with holes.
func checkReserved(t *testing.T, path string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path, "*.*"))
	if err != nil || len(names) < 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Size() != small.SegmentBytes {
			t.Errorf("%s: %v, %v", name, info.Size(), err)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

func TestOpenUnusableDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.Open(path, small); err == nil {
		t.Error("opened a file as a directory")
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	for _, want := range []string{"first", "", "a longer one than the first"} {
		if err := durable.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := durable.WriteFile(filepath.Join(dir, "missing", "state"), nil, 0o600); err == nil {
		t.Error("wrote into a directory that is not there")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(filepath.Join(dir, "taken"), nil, 0o600); err == nil {
		t.Error("replaced a directory")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 2 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// BenchmarkAppendWait reports what group commit is worth: many producers, each
// waiting for its record, share an fdatasync.
func BenchmarkAppendWait(b *testing.B) {
	log, err := durable.Open(b.TempDir(), durable.Options{CommitDelay: time.Millisecond, WhenFull: durable.DropOldest})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	rec := make([]byte, 200)
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		var last durable.Seq
		for range 100 {
			if last, err = log.Append(rec); err != nil {
				b.Fatal(err)
			}
		}
		if err := log.Wait(b.Context(), last); err != nil {
			b.Fatal(err)
		}
	}
	s := log.Stats()
	b.ReportMetric(float64(s.Appended)/float64(s.Syncs), "records/sync")
	b.ReportMetric(float64(s.Bytes)/float64(s.Appended), "flash-B/record")
	b.ReportMetric(float64(s.Appended)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkRead reads a backlog on a real disk, in frames of 64 KiB.
func BenchmarkRead(b *testing.B) {
	log, err := durable.Open(b.TempDir(), durable.Options{CommitDelay: time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	var last durable.Seq
	for range 50_000 {
		if last, err = log.Append(make([]byte, 200)); err != nil {
			b.Fatal(err)
		}
	}
	if err := log.Wait(b.Context(), last); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(200)
	r := log.NewReader(1)
	for b.Loop() {
		rec, ok, err := r.Next()
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		if rec.Seq == last {
			r.Seek(1)
		}
	}
}
