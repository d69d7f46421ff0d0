package poll_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

var update = flag.Bool("update", false, "write testdata/wire anew")

// transcript is what happened on a line and what was published of it.
type transcript struct {
	network bool // instead of a line

	mu     sync.Mutex
	events []event
}

type event struct {
	start, end time.Time // end is zero for what is not on the wire
	who, text  string
}

// wire notes bytes on the line, of which the last ends at end. In a network they
// take no time.
func (t *transcript) wire(who string, end time.Time, frame []byte) {
	start := end
	if !t.network {
		start = end.Add(-line.Chars(len(frame)))
	}
	t.add(event{start, end, who, spell(frame)})
}

// spell writes a frame in hexadecimal. The nonce of a canary is random, and so is
// its checksum.
func spell(frame []byte) string {
	if len(frame) == 8 && frame[1] == byte(modbus.Diagnostics) {
		return fmt.Sprintf("% x ?? ?? ?? ??", frame[:4])
	}
	return fmt.Sprintf("% x", frame)
}

// note says something that is not on the wire.
func (t *transcript) note(who, format string, args ...any) {
	t.add(event{start: time.Now(), who: who, text: fmt.Sprintf(format, args...)})
}

// published notes a reading as a subscriber gets it, without its time.
func (t *transcript) published(r point.Reading) {
	text, _, _ := bytes.Cut(payload.AppendJSON(nil, r), []byte(`,"ts":`))
	t.note("published", "%s/%s %s}", r.Device, r.Point, text)
}

func (t *transcript) add(e event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
}

// String returns the transcript in the order of time, with the silence before
// everything on the wire. Time is counted from when the port was opened last,
// since how long it was looked for is random.
func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.SortStableFunc(t.events, func(a, b event) int { return a.start.Compare(b.start) })
	var out strings.Builder
	fmt.Fprintf(&out, "%9s  %8s  %s\n", "ms", "silence", "who")
	var origin, quiet time.Time
	for _, e := range t.events {
		silence := ""
		switch {
		case e.who == "port" && e.text == "open":
			origin, quiet = e.start, e.start
		case !e.end.IsZero():
			silence = millis(e.start.Sub(quiet))
			quiet = e.end
		}
		fmt.Fprintf(&out, "%9s  %8s  %-9s  %s\n", millis(e.start.Sub(origin)), silence, e.who, e.text)
	}
	return out.String()
}

func millis(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }

// check compares the transcript with the one in testdata.
func (t *transcript) check(tt *testing.T, name, about string) {
	tt.Helper()
	got := fmt.Sprintf("# %s\n\n%v", strings.ReplaceAll(strings.TrimSpace(about), "\n", "\n# "), t)
	file := filepath.Join("testdata/wire", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			tt.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tt.Fatalf("%v; -update writes it", err)
	}
	if got != string(want) {
		tt.Errorf("%s has changed: look at it, and if it is right run with -update\n%s", file, firstDifference(got, string(want)))
	}
}

// firstDifference is where two transcripts part.
func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	same := 0
	for same < min(len(g), len(w)) && g[same] == w[same] {
		same++
	}
	return fmt.Sprintf("from line %d on:\n%s", same+1, strings.Join(g[same:], "\n"))
}

// shortest is the least silence before a request that followed something.
func (t *transcript) shortest() time.Duration {
	least, quiet := time.Hour, time.Time{}
	for _, e := range t.events {
		if e.who == "master" && !quiet.IsZero() {
			least = min(least, e.start.Sub(quiet))
		}
		if !e.end.IsZero() {
			quiet = e.end
		}
	}
	return least
}
