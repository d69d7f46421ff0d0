package presence

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/broker/topic"
)

const (
	looking = time.Second      // how often a reporter looks
	calmly  = 10 * time.Second // between two messages of one that stays in its state
)

// Device is how a device is.
type Device struct {
	ID, Bus  string
	State    string    // online, degraded, offline, disabled or unknown
	Since    time.Time // of the state; zero: not known
	LastGood time.Time // reply; zero: there was none
	Error    string    // the last
	ErrorAt  time.Time
	Failing  int    // points that cannot be read
	Answers  uint64 // good replies
	Failures uint64 // exchanges without one
	Latency  time.Duration
}

// Bridge is how a bridge is.
type Bridge struct {
	ID          string
	Connected   bool
	Since       time.Time
	Messages    uint64 // that wait
	Bytes       int64
	Oldest      time.Time // when the first of them came; zero: none waits
	LastError   string
	LastErrorAt time.Time
}

// ReporterConfig of a reporter.
type ReporterConfig struct {
	Devices func() []Device // in the same order each time
	Bridges func() []Bridge // likewise
	Status  []string        // topics of the devices, empty for one that is not reported; nil: none is
	Publish func(context.Context, topic.Message) error
}

// Reporter publishes on the local broker how devices and bridges are, whenever
// that changes.
type Reporter struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	cfg     ReporterConfig
	devices []reported
	bridges []reported
	failing bool
}

// reported is what was said last.
type reported struct {
	state string // what is told at once when it changes
	text  string // all
	at    time.Time
}

// NewReporter returns a reporter that runs with Run.
func NewReporter(cfg ReporterConfig, log *slog.Logger) *Reporter {
	return &Reporter{cfg: cfg, log: log}
}

// String returns the reporter's name in logs.
func (r *Reporter) String() string { return "status" }

// Apply has it report other devices and bridges, all of them anew.
func (r *Reporter) Apply(cfg ReporterConfig) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg, r.devices, r.bridges = cfg, nil, nil
}

// BridgeTopics is the filter of the topics about bridges, which are never bridged.
const BridgeTopics = "gateway/bridge/+/state"

// TopicsOf are those about one bridge: all that there is to say, and whether it is
// connected, as mosquitto's bridges have it.
func TopicsOf(bridge string) [2]string {
	return [2]string{"gateway/bridge/" + bridge + "/state", "$SYS/broker/connection/" + bridge + "/state"}
}

// Run reports until ctx is cancelled; then it says of all devices that nobody asks
// them any more.
func (r *Reporter) Run(ctx context.Context) error {
	tick := time.NewTicker(looking)
	defer tick.Stop()
	for {
		r.report(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.end(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (r *Reporter) report(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if len(r.cfg.Status) > 0 {
		for i, d := range r.cfg.Devices() {
			r.device(ctx, i, d, now)
		}
	}
	for i, b := range r.cfg.Bridges() {
		r.bridge(ctx, i, b, now)
	}
}

// end is the last word about devices.
func (r *Reporter) end(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cfg.Status) == 0 {
		return
	}
	now := time.Now()
	for i, d := range r.cfg.Devices() {
		if d.State != "disabled" {
			d.State, d.Since, d.Error, d.ErrorAt = "offline", now, "gateway stopped", now
		}
		r.device(ctx, i, d, now)
	}
}

// deviceStatus is the payload of a device's status topic.
type deviceStatus struct {
	State    string  `json:"state"`
	Since    string  `json:"since,omitempty"`
	Error    string  `json:"error,omitempty"`
	ErrorAt  string  `json:"error_at,omitempty"`
	Failing  int     `json:"failing,omitempty"`
	Bus      string  `json:"bus"`
	LastGood string  `json:"last_good,omitempty"`
	Answers  uint64  `json:"answers"`
	Failures uint64  `json:"failures"`
	Latency  float64 `json:"latency_ms,omitempty"`
}

func (r *Reporter) device(ctx context.Context, i int, d Device, now time.Time) {
	if r.cfg.Status[i] == "" {
		return
	}
	s := deviceStatus{State: d.State, Since: stamp(d.Since), Bus: d.Bus, LastGood: stamp(d.LastGood), Failing: d.Failing,
		Answers: d.Answers, Failures: d.Failures, Latency: float64(d.Latency.Round(100*time.Microsecond)) / 1e6}
	if d.State != "online" {
		s.Error, s.ErrorAt = d.Error, stamp(d.ErrorAt)
	}
	if r.news(&r.devices, i, d.State, fmt.Sprint(s.Error, s.Failing), now) {
		r.publish(ctx, r.cfg.Status[i], written(s))
	}
}

// bridgeStatus is the payload of a bridge's topic.
type bridgeStatus struct {
	Connected   bool   `json:"connected"`
	Since       string `json:"since"`
	Messages    uint64 `json:"queue_messages"`
	Bytes       int64  `json:"queue_bytes"`
	Oldest      int64  `json:"oldest_ts,omitempty"` // ms since 1970
	LastError   string `json:"last_error,omitempty"`
	LastErrorAt string `json:"last_error_at,omitempty"`
}

func (r *Reporter) bridge(ctx context.Context, i int, b Bridge, now time.Time) {
	s := bridgeStatus{Connected: b.Connected, Since: stamp(b.Since), Messages: b.Messages, Bytes: b.Bytes,
		LastError: b.LastError, LastErrorAt: stamp(b.LastErrorAt)}
	if !b.Oldest.IsZero() {
		s.Oldest = b.Oldest.UnixMilli()
	}
	text, up := written(s), "0"
	if b.Connected {
		up = "1"
	}
	changed := i >= len(r.bridges) || r.bridges[i].state != up
	if r.news(&r.bridges, i, up, string(text), now) {
		r.publish(ctx, TopicsOf(b.ID)[0], text)
	}
	if changed {
		r.publish(ctx, TopicsOf(b.ID)[1], []byte(up))
	}
}

// news reports whether something is to be said of number i, and takes it for said.
func (r *Reporter) news(list *[]reported, i int, state, text string, now time.Time) bool {
	for len(*list) <= i {
		*list = append(*list, reported{})
	}
	last := &(*list)[i]
	if last.state == state && (last.text == text || now.Sub(last.at) < calmly) {
		return false
	}
	*last = reported{state, text, now}
	return true
}

func (r *Reporter) publish(ctx context.Context, name string, text []byte) {
	err := r.cfg.Publish(ctx, topic.Message{Topic: name, Payload: text, QoS: 1, Retain: true})
	if err != nil && !r.failing && ctx.Err() == nil {
		r.log.Warn("a status is not stored for upstream", "topic", name, "error", err)
	}
	r.failing = err != nil
}
