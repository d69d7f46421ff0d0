package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice/gateway/durable"
)

func backlog(t *testing.T, f *durable.Files) []durable.Seq {
	t.Helper()
	var got []durable.Seq
	for rec, err := range f.Backlog() {
		if err != nil {
			t.Fatal(err)
		}
		if want := content(rec.Seq, len(rec.Data)); string(rec.Data) != string(want) {
			t.Fatalf("record %d is %.20q", rec.Seq, rec.Data)
		}
		got = append(got, rec.Seq)
	}
	return got
}

func openFiles(t *testing.T, path string) *durable.Files {
	t.Helper()
	f, err := durable.OpenFiles(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestFiles reads the files beside the log, and of a closed one with damage. It
// changes nothing.
func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue")
	opt := small
	opt.CommitDelay = 1
	log, err := durable.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	frames(t, log, 40, 2, 1000)
	log.Ack(31)
	log.Settle(41, 45)
	if err := log.Bury(51); err != nil {
		t.Fatal(err)
	}
	if got := backlog(t, openFiles(t, path)); len(got) < 45 || got[len(got)-1] != 80 {
		t.Errorf("beside the log: %v", got)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	f := openFiles(t, path)
	want := slices.Concat(seqs(31, 41), seqs(45, 81)) // what is dead ahead of the cursor is not remembered
	if got := backlog(t, f); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if s := f.Stats(); s.Appended != 80 || s.Delivered != 34 || s.Backlog != 46 || f.Acked() != 31 {
		t.Errorf("cursor %d, %+v", f.Acked(), s)
	}

	segs := f.Segments()
	for _, s := range segs[1:3] { // the third frame of each
		frame := slices.Collect(f.Frames(s))[2]
		damage(t, filepath.Join(path, s.Name), frame.Offset+frame.Bytes-100)
		want = slices.DeleteFunc(want, func(seq durable.Seq) bool {
			return frame.First <= seq && seq < frame.First+durable.Seq(frame.Count)
		})
	}
	if got := backlog(t, f); !slices.Equal(got, want) {
		t.Errorf("damaged: got %v\nwant %v", got, want)
	}
	bad := 0
	for _, s := range segs {
		for fr := range f.Frames(s) {
			if fr.Err != nil {
				bad++
			}
		}
	}
	if bad != 2 {
		t.Errorf("%d damaged frames shown", bad)
	}
}

func damage(t *testing.T, path string, off int64) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteAt([]byte{0xaa, 0x55}, off)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}
