// Package cron reads times in the form of crontab(5): five fields for minute,
// hour, day of the month, month and day of the week. The bridge dials at such
// times; the package knows nothing of it.
package cron

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule is a set of minutes. Use Parse to make one.
type Schedule struct {
	text                     string
	minute, hour, day, month uint64 // bit n stands for n
	weekday                  uint64 // 0 is Sunday
	anyDay, anyWeekday       bool   // the field is *
}

// field is one of the five, with what it may hold.
type field struct {
	name   string
	lo, hi int
	names  []string // three letters each, from lo on
}

func fields() []field {
	return []field{
		{"minute", 0, 59, nil},
		{"hour", 0, 23, nil},
		{"day of the month", 1, 31, nil},
		{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
		{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"}},
	}
}

// Parse reads an expression such as "*/15 6-20 * * mon-fri". A field is *, or
// numbers, ranges and steps (/n), separated by commas; months and days of the week
// may be written by their first three letters. It must come at least once in four
// years.
func Parse(expr string) (*Schedule, error) {
	words := strings.Fields(expr)
	all := fields()
	if len(words) != len(all) {
		return nil, fmt.Errorf("has %d fields, not 5: minute, hour, day of the month, month, day of the week", len(words))
	}
	s := &Schedule{text: strings.Join(words, " "), anyDay: words[2] == "*", anyWeekday: words[4] == "*"}
	for i, to := range []*uint64{&s.minute, &s.hour, &s.day, &s.month, &s.weekday} {
		set, err := all[i].parse(words[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", all[i].name, err)
		}
		*to = set
	}
	s.weekday |= s.weekday >> 7 & 1 // 7 is Sunday, too
	if !s.anyDay && s.anyWeekday && !s.exists() {
		return nil, errors.New("never comes: no such month has such a day")
	}
	return s, nil
}

// exists reports whether a month of the schedule has a day of it.
func (s *Schedule) exists() bool {
	first := bits.TrailingZeros64(s.day)
	for month, days := range []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		if has(s.month, month+1) && first <= days {
			return true
		}
	}
	return false
}

func (f field) parse(word string) (set uint64, err error) {
	for part := range strings.SplitSeq(word, ",") {
		one, err := f.part(part)
		if err != nil {
			return 0, err
		}
		set |= one
	}
	return set, nil
}

// part reads one range with its step.
func (f field) part(part string) (set uint64, err error) {
	span, text, stepped := strings.Cut(part, "/")
	step := 1
	if stepped {
		if step, err = strconv.Atoi(text); err != nil || step < 1 || step > f.hi {
			return 0, fmt.Errorf("%q is not a step from 1 to %d", text, f.hi)
		}
	}
	lo, hi := f.lo, f.hi
	if span != "*" {
		from, to, isRange := strings.Cut(span, "-")
		if lo, err = f.number(from); err != nil {
			return 0, err
		}
		switch {
		case isRange:
			if hi, err = f.number(to); err != nil {
				return 0, err
			}
		case !stepped:
			hi = lo
		}
		if hi < lo {
			return 0, fmt.Errorf("%q ends before it begins", span)
		}
	}
	for n := lo; n <= hi; n += step {
		set |= 1 << n
	}
	return set, nil
}

func (f field) number(word string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(word, name) {
			return f.lo + i, nil
		}
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < f.lo || n > f.hi {
		return 0, fmt.Errorf("%q is not a number from %d to %d", word, f.lo, f.hi)
	}
	return n, nil
}

// String returns the expression.
func (s *Schedule) String() string { return s.text }

// Next returns the first minute of the schedule after t, in the time zone of t. A
// time that the clock skips in spring does not come that day.
func (s *Schedule) Next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	for end := t.AddDate(9, 0, 0); t.Before(end); { // a 29 February may be eight years away
		y, m, d := t.Date()
		switch {
		case !has(s.month, int(m)):
			t = later(t, time.Date(y, m+1, 1, 0, 0, 0, 0, t.Location()))
		case !s.onDay(t):
			t = later(t, time.Date(y, m, d+1, 0, 0, 0, 0, t.Location()))
		case !has(s.hour, t.Hour()):
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case !has(s.minute, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return t
}

// later returns next, which where the clock skips midnight may not be later.
func later(t, next time.Time) time.Time {
	if !next.After(t) {
		return t.Add(time.Hour)
	}
	return next
}

// onDay tells whether the schedule has the day of t: as crontab(5) has it, either
// day field is enough where both are restricted.
func (s *Schedule) onDay(t time.Time) bool {
	day, weekday := has(s.day, t.Day()), has(s.weekday, int(t.Weekday()))
	if s.anyDay || s.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }
