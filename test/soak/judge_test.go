package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(i int, s *sample) // of 400 seconds that are good
		want   string                 // in the error
	}{
		{"nothing happens", func(int, *sample) {}, ""},
		{"memory breathes", func(i int, s *sample) { s.memory += float64(i % 7) }, ""},
		{"memory fills at first", func(i int, s *sample) { s.memory += float64(min(i, 100)) / 10 }, ""},
		{"memory leaks", func(i int, s *sample) { s.memory += float64(i) / 100 }, "memory grows: 23.5 MB in the last quarter, 21.5 MB in the second"},
		{"a goroutine is left behind", func(i int, s *sample) { s.Goroutines += i / 300 }, "goroutines grow: from 10 to 11"},
		{"one comes and goes", func(i int, s *sample) { s.Goroutines += i % 60 / 50 }, ""},
		{"files are left open", func(i int, s *sample) { s.files += i / 60 }, "open files grow"},
		{"one wrong value", func(i int, s *sample) { s.Wrong = int64(i / 399) }, "1 wrong values"},
		{"it gets stuck", func(i int, s *sample) { s.Good = int64(min(i, 200)) }, "nothing good was published"},
	} {
		samples := make([]sample, 400)
		for i := range samples {
			samples[i] = sample{Goroutines: 10, Good: int64(100 * i), memory: 20, files: 20}
			tt.change(i, &samples[i])
		}
		err := judge(samples)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestJudgeNeedsTime(t *testing.T) {
	if judge(make([]sample, 19)) == nil {
		t.Error("19 seconds were enough")
	}
}
