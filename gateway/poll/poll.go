// Package poll decides when a bus is asked for what. Every point keeps its own
// period and phase; what is due of a device at the same time shares requests, as
// few as is cheapest; the earliest deadline goes first, points of high priority
// before all others, and a device that does not answer is left to the others'
// advantage. The package decodes replies by the plan of package mapping and hands
// on readings; a fault becomes quality, never silence and never a zero. It knows
// no port, no topic and no broker.
package poll

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/progress"
	"sluice/mapping"
	"sluice/mapping/point"
)

// Exchange sends one request on the bus and returns its reply. It waits its
// turn; errors carry a modbus.Fault.
type Exchange func(ctx context.Context, req modbus.Request, t modbus.Timing) (Response, error)

// Response is the reply to one request.
type Response struct {
	Data    []byte
	At      time.Time     // when the reply ended
	Latency time.Duration // end of the request to the first byte of the reply; 0: not known
}

// Emit takes the readings of one poll. It may wait, which delays the bus.
type Emit func(ctx context.Context, readings []point.Reading)

// NotBefore is what an Exchange returns, wrapped or not, when the unit must be
// left alone until then: a late reply to an earlier request could be taken for
// an answer. The poller serves others meanwhile.
type NotBefore interface {
	error
	NotBefore() time.Time
}

// Config of a poller.
type Config struct {
	Bus      string
	Line     modbus.Line
	Gap      time.Duration // silence before each request on top of the line's own
	Jitter   time.Duration // a reply may be held back so long on its way, now and then
	Devices  []mapping.Device
	Exchange Exchange // of a poll
	Command  Exchange // of a write, which goes before polls; nil if no device has OnConnect
	Emit     Emit
	Back     <-chan struct{} // tells when the port is there again; nil: never
	Memory   string          // file that keeps across restarts what devices refuse; empty: nothing is kept
}

// Poller polls the devices of one bus.
type Poller struct {
	cfg       Config
	log       *slog.Logger
	devices   []*device
	tightest  time.Duration // shortest period of a point of high priority; 0 if there is none
	start     time.Time     // all periods are counted from here
	absent    time.Time     // no device that is offline is asked before
	thorough  time.Time     // nor one given all its time
	aging     time.Time     // no value becomes stale before
	room      time.Duration // until the next poll is due
	forgetful bool          // the memory file could not be written
	turns     progress.Turns

	mu    sync.Mutex // guards stats
	stats Stats
}

// New plans the polls of a bus; Run carries them out.
func New(cfg Config, log *slog.Logger) *Poller {
	p := &Poller{cfg: cfg, log: log.With("bus", cfg.Bus)}
	for i := range cfg.Devices {
		p.devices = append(p.devices, newDevice(&cfg.Devices[i], max(minTimeout, cfg.Jitter)))
	}
	p.tightest = tightest(cfg.Devices)
	p.stats.Devices = len(cfg.Devices)
	return p
}

// String returns the poller's name in logs.
func (p *Poller) String() string { return "poll " + p.cfg.Bus }

// Run polls until ctx is cancelled.
func (p *Poller) Run(ctx context.Context) error {
	p.turns.Begin()
	defer p.turns.End()
	p.recall()
	p.start = time.Now()
	p.thorough = p.start.Add(thoroughly)
	for _, d := range p.devices {
		d.begin(p.start)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.age(ctx, time.Now())
		j, wake := p.choose(time.Now())
		if j != nil {
			p.serve(ctx, j)
			continue
		}
		if wake.IsZero() {
			wake = p.aging
		}
		timer.Reset(time.Until(earlier(wake, p.aging)))
		if p.rest(ctx, timer.C) {
			p.returned()
		}
	}
	return nil
}

// rest waits until something is due; true means that the port has come back.
func (p *Poller) rest(ctx context.Context, due <-chan time.Time) (back bool) {
	p.turns.End()
	defer p.turns.Begin()
	select {
	case <-ctx.Done():
	case <-p.cfg.Back:
		return true
	case <-due:
	}
	return false
}

// Turns lets a watchdog see that the poller makes progress. While it waits for a
// reply that is the bus's to make.
func (p *Poller) Turns() uint64 { return p.turns.Count() }

// terms are what a plan for the device depends on.
func (p *Poller) terms(d *device) mapping.Terms {
	t := mapping.Terms{Line: p.cfg.Line, Gap: p.cfg.Gap, Latency: d.times.planned, Known: d.known}
	if p.tightest > 0 { // nobody shall hold up the points of high priority; but very short requests waste the line
		t.Longest = max(p.tightest/2, 3*t.Time(modbus.Request{}))
	}
	return t
}

// tightest is the shortest period that must be kept.
func tightest(devices []mapping.Device) time.Duration {
	shortest := time.Duration(0)
	for i := range devices {
		for _, pt := range devices[i].Points {
			if pt.Priority && (shortest == 0 || pt.Interval < shortest) {
				shortest = pt.Interval
			}
		}
	}
	return shortest
}
