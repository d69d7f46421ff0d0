// Package poll decides when a bus is asked for what: every block of registers
// keeps its own period and phase, the earliest deadline goes first, and a device
// that does not answer is left to the others' advantage. It decodes replies by
// the plan of package mapping and hands on readings; a fault becomes quality,
// never silence and never a zero. It knows no port, no topic and no broker.
package poll

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

// Exchange sends one request on the bus and returns the data of its reply and
// when that ended. It waits its turn; errors carry a modbus.Fault.
type Exchange func(ctx context.Context, req modbus.Request, t modbus.Timing) ([]byte, time.Time, error)

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
	Devices  []mapping.Device
	Exchange Exchange
	Emit     Emit
}

// Stats are counts since the start.
type Stats struct {
	Polls    uint64 // blocks read, with or without success
	Overruns uint64 // periods that passed before the bus could serve them
	Devices  int
	Offline  int // devices that do not answer now
}

// Poller polls the devices of one bus.
type Poller struct {
	bus      string
	gap      time.Duration
	exchange Exchange
	emit     Emit
	log      *slog.Logger
	agenda   agenda
	start    time.Time // all periods are counted from here

	mu    sync.Mutex // guards stats
	stats Stats
}

// New plans the polls of a bus; Run carries them out.
func New(cfg Config, log *slog.Logger) *Poller {
	p := &Poller{bus: cfg.Bus, gap: cfg.Gap, exchange: cfg.Exchange, emit: cfg.Emit, log: log}
	p.stats.Devices = len(cfg.Devices)
	for i := range cfg.Devices {
		d := newDevice(&cfg.Devices[i])
		for _, g := range cfg.Devices[i].Groups(cfg.Line) {
			for b := range g.Blocks {
				p.agenda = append(p.agenda, &entry{device: d, block: &g.Blocks[b], every: g.Every, index: len(p.agenda)})
			}
		}
		d.probe = d.cheapest(p.agenda)
	}
	return p
}

// String returns the poller's name in logs.
func (p *Poller) String() string { return "poll " + p.bus }

// Stats returns the counts so far.
func (p *Poller) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Run polls until ctx is cancelled.
func (p *Poller) Run(ctx context.Context) error {
	p.start = time.Now()
	for _, e := range p.agenda {
		e.slot, e.due = p.start, p.start
	}
	heap.Init(&p.agenda)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for len(p.agenda) > 0 && ctx.Err() == nil {
		timer.Reset(time.Until(p.agenda[0].due))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			p.serve(ctx, p.agenda[0])
		}
	}
	<-ctx.Done()
	return nil
}

// serve reads the block of an entry that is due and puts the entry back.
func (p *Poller) serve(ctx context.Context, e *entry) {
	d := e.device
	if d.offline && e != d.probe {
		p.skip(e)
		return
	}
	data, at, err := p.exchange(ctx, e.block.Request, modbus.Timing{Timeout: d.Timeout, Gap: p.gap})
	if ctx.Err() != nil {
		return
	}
	if nb, ok := errors.AsType[NotBefore](err); ok {
		e.due = nb.NotBefore()
		heap.Fix(&p.agenda, e.index)
		return
	}
	p.count(func(s *Stats) { s.Polls++ })
	again := false
	switch modbus.FaultOf(err) {
	case modbus.None:
		p.answered(d)
		e.failures = 0
		p.emit(ctx, e.block.AppendReadings(nil, d.ID, data, at))
	case modbus.Silent, modbus.Frame:
		again = p.failed(ctx, e, err)
	case modbus.Refused, modbus.Unsupported, modbus.Busy:
		p.answered(d)
		if p.split(e, err) {
			return
		}
		p.emit(ctx, e.block.AppendBad(nil, d.ID, modbus.Reason(err), time.Now()))
	case modbus.Medium:
		p.emit(ctx, e.block.AppendBad(nil, d.ID, modbus.Reason(err), time.Now()))
	}
	if !again {
		p.next(e)
	}
}

// split replaces an entry whose registers the device refuses to read together by
// two that are due at once: a hole between points may be forbidden, or the
// device may take fewer registers than others. A register that does not exist
// ends up alone, and its neighbours stay good.
func (p *Poller) split(e *entry, err error) bool {
	refusal, ok := errors.AsType[*modbus.Error](err)
	if !ok || refusal.Exception != illegalAddress && refusal.Exception != illegalValue {
		return false
	}
	parts, ok := e.block.Split()
	if !ok {
		return false
	}
	req := e.block.Request
	p.log.Info("device refuses a read, trying it in two parts", "bus", p.bus, "device", e.device.ID,
		"function", req.Function.String(), "address", req.Address, "count", req.Count, "exception", refusal.Exception)
	second := *e
	e.block, second.block = &parts[0], &parts[1]
	heap.Push(&p.agenda, &second)
	return true
}

// Exceptions to a request whose registers do not all exist, or are too many
// (Modbus Application Protocol V1.1b3, section 7).
const (
	illegalAddress = 2
	illegalValue   = 3
)

// retries is how often a block is read again at once after a failed exchange,
// so that one disturbed frame does not turn its values bad.
const retries = 1

// failed notes an exchange without a usable answer. It reports whether the
// entry stays due for another try.
func (p *Poller) failed(ctx context.Context, e *entry, err error) (again bool) {
	d := e.device
	d.failures++
	e.failures++
	if d.offline {
		d.postpone()
		return false
	}
	if d.failures >= d.OfflineAfter {
		p.lost(ctx, d, err)
		return false
	}
	if e.failures <= retries {
		return true
	}
	e.failures = 0
	p.emit(ctx, e.block.AppendBad(nil, d.ID, modbus.Reason(err), time.Now()))
	return false
}

// lost declares a device offline: all its values turn bad at once, and only one
// block of it is tried from now on.
func (p *Poller) lost(ctx context.Context, d *device, err error) {
	d.offline = true
	d.postpone()
	d.probe.due = d.probeAt
	heap.Fix(&p.agenda, d.probe.index)
	p.count(func(s *Stats) { s.Offline++ })
	p.log.Warn("device offline", "bus", p.bus, "device", d.ID, "failed", d.failures, "error", err)
	var readings []point.Reading
	now := time.Now()
	for _, e := range p.agenda {
		if e.device == d {
			e.failures = 0
			readings = e.block.AppendBad(readings, d.ID, "offline: "+modbus.Reason(err), now)
		}
	}
	p.emit(ctx, readings)
}

// answered notes that a device is there. After an absence all its blocks are
// read at once.
func (p *Poller) answered(d *device) {
	d.failures = 0
	if !d.offline {
		return
	}
	d.offline, d.pause = false, 0
	p.count(func(s *Stats) { s.Offline-- })
	p.log.Info("device online", "bus", p.bus, "device", d.ID)
	now := time.Now()
	for _, e := range p.agenda {
		if e.device == d {
			e.due = now
		}
	}
	heap.Init(&p.agenda)
}

// next moves an entry to its next period, in its original phase. Periods that
// have passed meanwhile are left out and counted: no burst makes up for them.
func (p *Poller) next(e *entry) {
	served := e.slot
	p.skip(e)
	if missed := e.slot.Sub(served)/e.every - 1; missed > 0 && !e.device.offline {
		p.count(func(s *Stats) { s.Overruns += uint64(missed) })
	}
}

// skip moves an entry to its first period after now; the probe of an absent
// device waits for its pause instead.
func (p *Poller) skip(e *entry) {
	e.slot = p.start.Add((time.Since(p.start)/e.every + 1) * e.every)
	e.due = e.slot
	if e.device.offline && e == e.device.probe {
		e.due = e.device.probeAt
	}
	heap.Fix(&p.agenda, e.index)
}

func (p *Poller) count(change func(*Stats)) {
	p.mu.Lock()
	change(&p.stats)
	p.mu.Unlock()
}
