package poll

import (
	"context"
	"errors"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
)

// Exceptions to a request whose registers do not all exist, or are too many
// (Modbus Application Protocol V1.1b3, section 7).
const (
	illegalAddress = 2
	illegalValue   = 3
)

const (
	// quarantined is how many refusals in a row make a point one that is asked
	// ever more rarely.
	quarantined = 3
	// maxQuarantine is the longest time between two tries of such a point, unless
	// its period is longer.
	maxQuarantine = time.Hour
)

// refused takes an exception. When the registers of several points cannot be read
// together, a search finds out why: the device may refuse a hole between them or
// take fewer registers than others, and then the points are read apart and stay
// good.
func (p *Poller) refused(ctx context.Context, j *job, err error) {
	d := j.device
	e, _ := errors.AsType[*modbus.Error](err)
	addresses := e != nil && (e.Exception == illegalAddress || e.Exception == illegalValue)
	switch {
	case j.kind == greeting:
		p.wrote(d, err)
	case j.kind == walking:
		p.walked(ctx, d, nil)
	case j.kind == looking:
		p.told(ctx, j, true)
	case addresses && len(j.tasks) > 1:
		p.log.Info("device refuses a read, searching for the reason", "device", d.ID, "function", j.block.Request.Function.String(),
			"address", j.block.Request.Address, "count", j.block.Request.Count, "exception", e.Exception)
		d.search, d.why = mapping.NewSearch(&j.block), err
		p.look(d)
	case len(j.tasks) == 1 || e != nil && e.Fault == modbus.Unsupported:
		p.unreadable(ctx, j, err)
		p.finish(j)
	default:
		p.bad(ctx, d, j.tasks, modbus.Reason(err))
		p.finish(j)
	}
}

// look makes the next request of a search what the device is asked next.
func (p *Poller) look(d *device) {
	now := time.Now()
	b, _ := d.search.Next()
	d.only = d.job(b, p.terms(d).Time(b.Request))
	d.only.kind, d.only.high, d.only.since, d.only.deadline = looking, false, now, now.Add(patience)
}

// told takes the outcome of a request of a search, and at the end what was found.
func (p *Poller) told(ctx context.Context, j *job, refused bool) {
	d := j.device
	f, done := d.search.Tell(refused)
	if !done {
		p.look(d)
		return
	}
	d.search, d.only = nil, nil
	d.known.Learn(f)
	d.next = time.Now() // plan anew
	attrs := []any{"device", d.ID, "table", f.Table.String()}
	switch {
	case f.Point != nil:
		blamed := &job{device: d, tasks: []*task{d.byPoint[f.Point]}}
		p.unreadable(ctx, blamed, d.why)
		p.finish(blamed)
	case f.Most > 0:
		p.log.Info("device takes fewer registers in one request", append(attrs, "most", f.Most)...)
	default:
		p.log.Info("device refuses a hole between points, reading around it", append(attrs, "from", f.Wall.From, "to", f.Wall.To-1)...)
	}
	p.remember()
}

// unreadable counts refusals of points, and says of each once what to do. One
// that goes on being refused is asked ever more rarely.
func (p *Poller) unreadable(ctx context.Context, j *job, err error) {
	p.bad(ctx, j.device, j.tasks, modbus.Reason(err))
	for _, k := range j.tasks {
		attrs := []any{"device", j.device.ID, "point", k.ID, "register", k.Register.String(), "reason", modbus.Reason(err)}
		switch k.refusals++; k.refusals {
		case 1:
			p.log.Warn("device refuses a point", append(attrs, "fix", remedy(err))...)
		case quarantined:
			p.count(func(s *Stats) { s.Quarantined++ })
			p.log.Info("point is refused again and again, asking for it ever more rarely", attrs...)
		}
		if k.refusals >= quarantined {
			periods := min(int64(1)<<min(k.refusals-quarantined+1, 30), int64(max(maxQuarantine/k.Interval, 1)))
			k.slot = k.slot.Add(time.Duration(periods-1) * k.Interval)
		}
	}
}

// remedy is what can be done about a refusal.
func remedy(err error) string {
	if e, ok := errors.AsType[*modbus.Error](err); ok && e.Exception != 0 {
		return modbus.Remedy(e.Exception)
	}
	return "correct the register in the site file" // no unit may be asked for it
}

// readable notes that the points of a job have been read, and how fast.
func (p *Poller) readable(j *job, latency time.Duration) {
	forgot := false
	for _, k := range j.tasks {
		k.latency = latency
		if k.refusals >= quarantined {
			p.count(func(s *Stats) { s.Quarantined-- })
			p.log.Info("point can be read again", "device", j.device.ID, "point", k.ID)
		}
		k.refusals = 0
		forgot = len(j.tasks) == 1 && j.device.known.Forget(k.Point)
	}
	if forgot {
		p.remember()
	}
}
