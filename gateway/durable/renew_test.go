package durable_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/gateway/durable"
)

// lived returns a log on disk with 30 records, which fill five segments. The first
// four are acknowledged.
func lived(t *testing.T, path string) *durable.Log {
	opt := small
	opt.CommitDelay = time.Millisecond
	log, err := durable.Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	frames(t, log, 30, 1, 3500)
	log.Ack(5)
	return log
}

// The directory of a log is gone, and another that holds the same is at its path,
// as when a filesystem was mounted anew: the log goes on there.
func TestGoesOnWhereItsPathLeads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue")
	log := lived(t, path)
	reader := log.NewReader(5)
	if _, ok, err := reader.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	anew(t, path)
	wait(t, log, add(t, log, 3500))
	if s := checkAccount(t, log); s.Damage > 0 || s.Appended != 31 {
		t.Errorf("account %+v", s)
	}
	if rec, ok, err := reader.Next(); rec.Seq != 6 || !ok || err != nil {
		t.Errorf("read on: record %d, %v, %v", rec.Seq, ok, err)
	}
	if _, err := durable.Open(path, small); err == nil {
		t.Error("the new directory is not locked")
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	again, err := durable.Open(path, small)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := readAll(t, again); !slices.Equal(got, seqs(5, 32)) {
		t.Errorf("after a restart: %v", got)
	}
}

// anew puts a copy in the place of a directory.
func anew(t *testing.T, path string) {
	t.Helper()
	if err := os.CopyFS(path+".copy", os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".copy", path); err != nil {
		t.Fatal(err)
	}
}

// A directory that does not hold the log, such as the empty one below a mount
// point, is left alone.
func TestGoesOnNowhereElse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, path string)
	}{
		{"empty", func(t *testing.T, path string) {
			os.RemoveAll(path)
			os.Mkdir(path, 0o755)
		}},
		{"another log", func(t *testing.T, path string) {
			os.RemoveAll(path)
			lived(t, path).Close()
		}},
		{"nothing", func(t *testing.T, path string) { os.RemoveAll(path) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "queue")
			log := lived(t, path)
			tt.change(t, path)
			before := names(t, path)
			seq, err := log.Append(content(99, 3500))
			if err == nil {
				err = log.Wait(t.Context(), seq)
			}
			if err == nil {
				t.Error("a record was stored somewhere")
			}
			if after := names(t, path); !slices.Equal(before, after) {
				t.Errorf("files there were %v, are %v", before, after)
			}
		})
	}
}

func names(t *testing.T, path string) []string {
	all, err := filepath.Glob(filepath.Join(path, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
