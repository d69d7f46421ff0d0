package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sample is how the gateway is at one moment.
type sample struct {
	Goroutines       int
	Good, Bad, Wrong int64   // messages so far
	memory           float64 // resident, MB
	files            int     // open descriptors
	disk             float64 // MB in the folder of its state
}

func (s sample) String() string {
	text := fmt.Sprintf("%.1f MB, %d goroutines, %d files, %.1f MB on disk", s.memory, s.Goroutines, s.files, s.disk)
	if s.Good+s.Bad+s.Wrong > 0 {
		text += fmt.Sprintf("; published %d good, %d bad, %d wrong", s.Good, s.Bad, s.Wrong)
	}
	return text
}

// weigh adds what is in a folder. Files may vanish meanwhile.
func (s *sample) weigh(dir string) error {
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			s.disk += float64(info.Size()) / 1e6
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lookAt adds what the kernel knows of the process.
func (s *sample) lookAt(pid int) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(l, "VmRSS: %f kB", &kib); n == 1 {
			s.memory = kib * 1024 / 1e6
		}
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	s.files = len(files)
	return err
}

// What the median of the last quarter may be above that of the second: the heap
// breathes with the garbage collector.
const (
	memoryShare = 0.05
	memoryLeast = 1.0 // MB

	leastSamples = 20
)

// judge wants good values throughout, besides what flat does.
func judge(samples []sample) error {
	errs := []error{flat(samples, 0)}
	if errs[0] != nil && len(samples) < leastSamples {
		return errs[0]
	}
	last := samples[len(samples)-1]
	if last.Wrong > 0 {
		errs = append(errs, fmt.Errorf("%d wrong values", last.Wrong))
	}
	if last.Good == samples[len(samples)-len(samples)/4].Good {
		errs = append(errs, errors.New("nothing good was published in the last quarter"))
	}
	return errors.Join(errs...)
}

// flat compares the last quarter of the time with the second one. Goroutines and
// files may be so many more.
func flat(samples []sample, more int) error {
	if len(samples) < leastSamples {
		return fmt.Errorf("only %d seconds: too short to judge by", len(samples))
	}
	quarter := len(samples) / 4
	early, late := samples[quarter:2*quarter], samples[len(samples)-quarter:]
	was, is := typical(early), typical(late)
	fmt.Printf("second quarter, median: %v\n  last quarter, median: %v\n", was, is)
	var errs []error
	if limit := was.memory + max(memoryShare*was.memory, memoryLeast); is.memory > limit {
		errs = append(errs, fmt.Errorf("memory grows: %.1f MB in the last quarter, %.1f MB in the second", is.memory, was.memory))
	}
	if is.Goroutines > was.Goroutines+more {
		errs = append(errs, fmt.Errorf("goroutines grow: from %d to %d", was.Goroutines, is.Goroutines))
	}
	if is.files > was.files+more {
		errs = append(errs, fmt.Errorf("open files grow: from %d to %d", was.files, is.files))
	}
	return errors.Join(errs...)
}

// typical is the median of each figure, and the counts of the last.
func typical(samples []sample) sample {
	s := samples[len(samples)-1]
	s.memory = median(samples, func(s sample) float64 { return s.memory })
	s.disk = median(samples, func(s sample) float64 { return s.disk })
	s.Goroutines = int(median(samples, func(s sample) float64 { return float64(s.Goroutines) }))
	s.files = int(median(samples, func(s sample) float64 { return float64(s.files) }))
	return s
}

func median(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
