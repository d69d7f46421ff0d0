package budget_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/budget"
)

// open opens a budget of 1 MB whose months begin on the 5th; the log is returned.
func open(t *testing.T, file string) (*budget.Budget, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	b, err := budget.Open(budget.Config{File: file, Month: 1e6, Day: 5}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b, &log
}

func TestLevels(t *testing.T) {
	b, log := open(t, filepath.Join(t.TempDir(), "budget", "cloud.json"))
	for _, tt := range []struct {
		spend int64
		want  budget.Level
	}{{699_999, budget.Ample}, {1, budget.Noted}, {199_999, budget.Noted}, {1, budget.Tight}, {99_999, budget.Tight}, {1, budget.Spent}, {1, budget.Spent}} {
		b.Spend(tt.spend)
		if got := b.Level(); got != tt.want {
			used, _ := b.Used()
			t.Errorf("at %d: %v, want %v", used, got, tt.want)
		}
	}
	if n := strings.Count(log.String(), "data budget"); n != 3 {
		t.Errorf("%d lines in the log:\n%s", n, log)
	}
}

func TestMonths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins on 2000-01-01
		file := filepath.Join(t.TempDir(), "cloud.json")
		b, _ := open(t, file)
		b.Spend(1e6)
		b.Close()
		time.Sleep(4*24*time.Hour - time.Second)
		b, _ = open(t, file)
		if b.Level() != budget.Spent {
			t.Error("forgotten before the month is over")
		}
		time.Sleep(time.Second)
		if used, _ := b.Used(); used != 0 || b.Level() != budget.Ample {
			t.Errorf("the new month begins with %d bytes, %v", used, b.Level())
		}
	})
}

func TestClockSetBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cloud.json")
	if err := os.WriteFile(file, []byte(`{"since":"2999-01-05","bytes":950000}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, _ := open(t, file); b.Level() != budget.Tight {
		t.Error("a clock that is behind begins a new month")
	}
}

func TestSavesRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "cloud.json")
		b, _ := open(t, file)
		saves, last := 0, ""
		for range 3600 { // an hour in which little is spent, and one in which much is
			time.Sleep(time.Second)
			b.Spend(1)
			if text, _ := os.ReadFile(file); string(text) != last {
				saves, last = saves+1, string(text)
			}
		}
		if saves < 5 || saves > 6 {
			t.Errorf("%d times in an hour", saves)
		}
		time.Sleep(time.Minute)
		b.Spend(2000)
		if text, _ := os.ReadFile(file); string(text) == last {
			t.Error("not saved after a thousandth")
		}
	})
}

func TestDamagedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cloud.json")
	for _, text := range []string{"", "{", `{"since":"x","bytes":1}`, `{"since":"2026-11-05","bytes":-1}`, "\x00\x00\x00"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, log := open(t, file)
		if used, _ := b.Used(); used != 0 || !strings.Contains(log.String(), "begins anew") {
			t.Errorf("%q: %d bytes, log %s", text, used, log)
		}
	}
}
