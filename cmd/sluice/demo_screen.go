package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/broker/topic"
	"sluice/gateway"
)

// show draws the demo until ctx is cancelled: on a terminal the whole picture
// twice a second, elsewhere one line a second.
func (d *demo) show(ctx context.Context, plain bool) {
	every, draw := time.Second, d.line
	if d.isScreen() && !plain {
		every, draw = 500*time.Millisecond, d.picture
	}
	start := time.Now()
	meter := loadMeter{}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s := d.gateway.Status()
			draw(time.Since(start), s, meter.load(s))
		}
	}
}

// loadMeter turns the bus time used so far into the share of the time since the
// last look.
type loadMeter struct {
	at   time.Time
	busy time.Duration
}

func (m *loadMeter) load(s gateway.Status) float64 {
	now, busy := time.Now(), s.Buses[0].Bus.Busy
	share := 0.0
	if !m.at.IsZero() {
		share = float64(busy-m.busy) / float64(now.Sub(m.at))
	}
	m.at, m.busy = now, busy
	return share
}

// line writes the state in one line, and the events since the last one.
func (d *demo) line(since time.Duration, s gateway.Status, load float64) {
	for _, e := range d.events.take() {
		fmt.Fprintf(d.out, "      %s\n", e)
	}
	b := d.ledger.balance()
	up := s.Bridges[0]
	fmt.Fprintf(d.out, "%4.0fs  bus %3.0f %%  %-28s queue %-4d upstream %-9s delivered %d lost %d duplicated %d\n", since.Seconds(),
		100*load, strings.Join(d.values.lines("tank/level", "meter/power"), ", "), up.Backlog(), connection(up.Connected), b.delivered, b.lost, b.duplicated)
}

func connection(up bool) string {
	if up {
		return "connected"
	}
	return "away"
}

// picture redraws the screen. What does not fit is cut off, so that nothing
// scrolls away.
func (d *demo) picture(since time.Duration, s gateway.Status, load float64) {
	var p strings.Builder
	local := d.gateway.Addrs()
	fmt.Fprintf(&p, "Sluice demo   %s   Ctrl-C stops\n\n", since.Round(time.Second))
	if len(local) > 0 {
		_, port, _ := strings.Cut(local[0].String(), ":")
		fmt.Fprintf(&p, "Local broker  %s   try: mosquitto_sub -p %s -t '#' -v\n", local[0], port)
	}
	bus := s.Buses[0]
	fmt.Fprintf(&p, "Bus %s     %s, %s: load %.0f %%, %d exchanges, %d overruns\n\n", bus.ID, d.pty.Path(), demoLine, 100*load, bus.Bus.Exchanges, bus.Poll.Overruns)
	for _, l := range d.values.lines() {
		fmt.Fprintf(&p, "  %s\n", l)
	}
	b, up := d.ledger.balance(), s.Bridges[0]
	fmt.Fprintf(&p, "\nUpstream      %s, link %s\n", connection(up.Connected), map[bool]string{true: "cut", false: "up"}[d.link.cut.Load()])
	fmt.Fprintf(&p, "Queue         %d messages\n", up.Backlog())
	fmt.Fprintf(&p, "Messages      %d published, %d delivered, %d lost, %d duplicated\n", b.taken, b.delivered, b.lost, b.duplicated)
	fmt.Fprintf(&p, "Memory        %.1f MB\n\n", residentMB())
	for _, e := range d.events.last(6) {
		fmt.Fprintf(&p, "  %s\n", e)
	}
	width, height := d.size()
	lines := strings.Split(strings.TrimRight(p.String(), "\n"), "\n")
	for i, l := range lines {
		if r := []rune(l); len(r) > width {
			lines[i] = string(r[:width])
		}
	}
	fmt.Fprint(d.out, "\x1b[H\x1b[2J"+strings.Join(lines[:min(len(lines), height)], "\n"))
}

// residentMB is the memory of this process that is in RAM, in MB; 0 where the
// kernel does not say.
func residentMB() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0
	}
	return float64(resident*int64(os.Getpagesize())) / 1e6
}

// values are the latest readings, as messages on the local broker show them.
type values struct {
	mu     sync.Mutex
	latest map[string]string // by device/point
}

func newValues() *values { return &values{latest: map[string]string{}} }

// note keeps the value of a message.
func (v *values) note(m topic.Message) {
	var r struct {
		Value   json.RawMessage
		Unit    string
		Quality string
		Reason  string
	}
	if json.Unmarshal(m.Payload, &r) != nil {
		return
	}
	text := strings.TrimSpace(string(r.Value) + " " + r.Unit)
	if r.Quality != "good" {
		text = r.Quality + ": " + r.Reason
	}
	_, name, _ := strings.Cut(m.Topic, "/")
	v.mu.Lock()
	v.latest[name] = text
	v.mu.Unlock()
}

// lines returns the named values, or all, as "name value".
func (v *values) lines(names ...string) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(names) == 0 {
		for name := range v.latest {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var out []string
	for _, name := range names {
		if text, ok := v.latest[name]; ok {
			out = append(out, fmt.Sprintf("%s %s", name, text))
		}
	}
	return out
}

// keptEvents is how many log lines the screen remembers.
const keptEvents = 50

// events are the log lines of the demo, for the screen.
type events struct {
	mu    sync.Mutex
	lines []string
	taken int // how many of all lines take has returned
	all   int
}

func newEvents() *events { return &events{} }

// Write takes log lines.
func (e *events) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, strings.TrimRight(string(p), "\n"))
	e.all++
	if len(e.lines) > keptEvents {
		e.lines = e.lines[len(e.lines)-keptEvents:]
	}
	return len(p), nil
}

// last returns the n latest lines.
func (e *events) last(n int) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.lines[max(len(e.lines)-n, 0):])
}

// take returns the lines since the last take.
func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	fresh := min(e.all-e.taken, len(e.lines))
	e.taken = e.all
	return slices.Clone(e.lines[len(e.lines)-fresh:])
}
