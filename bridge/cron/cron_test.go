package cron_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests need it, wherever they run

	"sluice/bridge/cron"
)

func TestNext(t *testing.T) {
	const form = "2006-01-02 15:04:05"
	for _, tt := range []struct{ expr, after, want string }{
		{"* * * * *", "2026-11-21 10:00:30", "2026-11-21 10:01:00"},
		{"*/15 * * * *", "2026-11-21 10:45:00", "2026-11-21 11:00:00"},
		{"0 */2 * * *", "2026-11-21 23:59:59", "2026-11-22 00:00:00"},
		{"5,35 6-20 * * mon-fri", "2026-11-20 20:36:00", "2026-11-23 06:05:00"},
		{"0 4 1 * *", "2026-12-01 04:00:00", "2027-01-01 04:00:00"},
		{"0 4 1 * sun", "2026-11-21 04:00:00", "2026-11-22 04:00:00"},
		{"0 0 * * 7", "2026-11-21 04:00:00", "2026-11-22 00:00:00"},
		{"0 0 29 2 *", "2026-11-21 04:00:00", "2028-02-29 00:00:00"},
		{"0 0 29 feb *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"},
		{"59 23 31 Dec *", "2026-12-31 23:59:00", "2027-12-31 23:59:00"},
		{"10/20 0 * * *", "2026-11-21 00:10:00", "2026-11-21 00:30:00"},
	} {
		s, err := cron.Parse(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		after, _ := time.Parse(form, tt.after)
		if got := s.Next(after).Format(form); got != tt.want {
			t.Errorf("%s after %s: %s, want %s", tt.expr, tt.after, got, tt.want)
		}
	}
}

// TestClockChange has a night on which the clock skips an hour, and one on which it
// has an hour twice.
func TestClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	s, err := cron.Parse("30 2 * * *")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Next(time.Date(2026, 3, 29, 0, 0, 0, 0, berlin)), time.Date(2026, 3, 30, 2, 30, 0, 0, berlin); !got.Equal(want) {
		t.Errorf("in spring %v, want %v", got, want)
	}
	if got, want := s.Next(time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)), time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("in autumn %v, want %v", got, want)
	}
	saoPaulo, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	s, _ = cron.Parse("30 2 5 11 *") // on the 4th the day began at one
	if got, want := s.Next(time.Date(2018, 11, 1, 0, 0, 0, 0, saoPaulo)), time.Date(2018, 11, 5, 2, 30, 0, 0, saoPaulo); !got.Equal(want) {
		t.Errorf("without midnight %v, want %v", got, want)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for expr, want := range map[string]string{
		"":               "has 0 fields",
		"* * * * * *":    "has 6 fields",
		"60 * * * *":     `minute: "60" is not a number from 0 to 59`,
		"* 24 * * *":     "hour",
		"* * 0 * *":      "day of the month",
		"* * * 13 *":     "month",
		"* * * * mo":     "day of the week",
		"*/0 * * * *":    "step",
		"20-10 * * * *":  "ends before it begins",
		"1,,2 * * * *":   "minute",
		"0 0 30 2 *":     "never comes",
		"0 0 31 2,4,6 *": "never comes",
	} {
		if _, err := cron.Parse(expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", expr, err, want)
		}
	}
}

// FuzzParse makes sure that what is accepted comes, and later than it is asked for.
func FuzzParse(f *testing.F) {
	for _, expr := range []string{"* * * * *", "*/7 1-5/2 1,31 jan-mar sat,7", "0 0 29 2 *", "0 0 31 4 1"} {
		f.Add(expr, int64(1795211000))
	}
	f.Fuzz(func(t *testing.T, expr string, at int64) {
		s, err := cron.Parse(expr)
		if err != nil {
			return
		}
		after := time.Unix(at%(1<<33), 0).UTC()
		next := s.Next(after)
		if !next.After(after) || next.After(after.AddDate(8, 2, 0)) {
			t.Errorf("%q after %v: %v", expr, after, next)
		}
		if again, err := cron.Parse(s.String()); err != nil || !again.Next(after).Equal(next) {
			t.Errorf("%q is not %q", s, expr)
		}
	})
}
