//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// syncBuffer is a buffer that a process writes while a test reads it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// await waits until a pattern stands in a file, COUNT times if given.
//
//	await TIME FILE PATTERN [COUNT]
func await(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	pattern, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	want := 1
	if len(args) > 3 {
		want, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	found := 0
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(ts.MkAbs(args[1]))
		if found = len(pattern.FindAll(text, -1)); found >= want {
			return
		}
	}
	text, _ := os.ReadFile(ts.MkAbs(args[1]))
	ts.Fatalf("%s: %q found %d times of %d within %v, in:\n%s", args[1], args[2], found, want, limit, tail(string(text)))
}

func tail(s string) string { return s[max(len(s)-3000, 0):] }

// pause lets time pass: an outage has to last.
//
//	pause TIME
func pause(ts *testscript.TestScript, neg bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// stampKey finds the time that stamp notes for within.
type stampKey struct{}

// stamp notes the time.
//
//	stamp
func stamp(ts *testscript.TestScript, neg bool, args []string) {
	*ts.Value(stampKey{}).(*time.Time) = time.Now()
}

// within requires that no more time has passed since stamp.
//
//	within TIME
func within(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	took := time.Since(*ts.Value(stampKey{}).(*time.Time))
	if took > limit {
		ts.Fatalf("took %v, at most %v is allowed", took, limit)
	}
	ts.Logf("took %v", took.Round(time.Millisecond))
}

// render copies a file with variables filled in.
//
//	render FROM TO
func render(ts *testscript.TestScript, neg bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// series requires that the good values of a topic in a file count up by one,
// with none missing and none out of order; at most REPEATS may come again.
//
//	series FILE TOPIC REPEATS
func series(ts *testscript.TestScript, neg bool, args []string) {
	allowed, err := strconv.Atoi(args[2])
	ts.Check(err)
	var first, high int64
	repeats := 0
	for n, line := range strings.Split(ts.ReadFile(args[0]), "\n") {
		topic, payload, _ := strings.Cut(line, " ")
		if topic != args[1] {
			continue
		}
		var r struct {
			Value   int64
			Quality string
		}
		err := json.Unmarshal([]byte(payload), &r)
		if r.Quality == "stale" && r.Value == high {
			continue // the gateway was stopped
		}
		if err != nil || r.Quality != "good" {
			ts.Fatalf("%s:%d: no good value: %s", args[0], n+1, payload)
		}
		switch {
		case high == 0:
			first, high = r.Value, r.Value
		case r.Value == high+1:
			high = r.Value
		case r.Value <= high:
			repeats++
		default:
			ts.Fatalf("%s:%d: %d follows %d: %d lost or late", args[0], n+1, r.Value, high, r.Value-high-1)
		}
	}
	if high == first {
		ts.Fatalf("%s: no series on %s", args[0], args[1])
	}
	if repeats > allowed {
		ts.Fatalf("%s: %d values came again, %d are allowed", args[0], repeats, allowed)
	}
	ts.Logf("%s: %d to %d without a gap, %d repeated", args[1], first, high, repeats)
}

// sorted requires that the lines of one file stand in another in that order,
// whatever lies between them.
//
//	sorted LINES FILE
func sorted(ts *testscript.TestScript, neg bool, args []string) {
	text := strings.Split(ts.ReadFile(args[1]), "\n")
	for _, want := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n") {
		at := -1
		for i, line := range text {
			if line == want {
				at = i
				break
			}
		}
		if at < 0 {
			ts.Fatalf("%q is missing in %s, or came before the line above it", want, args[1])
		}
		text = text[at+1:]
	}
}
