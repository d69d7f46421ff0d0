package poll

import (
	"context"
	"errors"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// serve carries out a job and settles what comes of it.
func (p *Poller) serve(ctx context.Context, j *job) {
	d := j.device
	begin := time.Now()
	r, err := p.ask(ctx, j)
	if ctx.Err() != nil {
		return
	}
	took := time.Since(begin)
	if nb, ok := errors.AsType[NotBefore](err); ok {
		d.hold = nb.NotBefore()
		p.wasted(d, took) // on finding out
		return
	}
	p.count(func(s *Stats) { s.Polls++ })
	d.hold = begin.Add(took + d.Rest)
	switch modbus.FaultOf(err) {
	case modbus.None:
		p.there(d)
		d.busy = 0
		p.answered(ctx, j, r)
	case modbus.Silent, modbus.Frame:
		p.wasted(d, took)
		p.failed(ctx, j, err)
	case modbus.Busy:
		p.there(d)
		p.busy(ctx, j, err)
	case modbus.Refused, modbus.Unsupported:
		p.there(d)
		p.refused(ctx, j, err)
	case modbus.Medium:
		p.unplugged(ctx, j, err)
	}
	p.note(d, err, begin.Add(took))
}

// ask puts the request of a job on the bus.
func (p *Poller) ask(ctx context.Context, j *job) (Response, error) {
	p.turns.End()
	defer p.turns.Begin()
	t := modbus.Timing{Timeout: p.timeout(j), Gap: p.cfg.Gap, NoCanary: j.device.NoCanary}
	if j.kind == greeting {
		return p.cfg.Command(ctx, j.device.OnConnect[j.device.greeted].Request(j.device.Unit), t)
	}
	if j.kind == walking {
		return p.cfg.Exchange(ctx, j.device.walk.Next(), t)
	}
	return p.cfg.Exchange(ctx, j.block.Request, t)
}

// answered takes a good reply.
func (p *Poller) answered(ctx context.Context, j *job, r Response) {
	d := j.device
	if j.kind == greeting {
		p.wrote(d, nil)
		return
	}
	p.timed(d, r.Latency)
	switch {
	case j.kind == walking:
		p.walked(ctx, d, r.Data)
	case j.kind == looking:
		p.told(ctx, j, false)
	case !d.settled() || j.tasks[0].missing != "":
		// what was read before, or where the device has no such point, may mean something else
	default:
		readings := d.decoder.Append(nil, &j.block, r.Data, r.At)
		p.heard(j, readings)
		p.cfg.Emit(ctx, readings)
		p.readable(j, r.Latency)
		p.finish(j)
	}
}

// finish puts the points of a job off to their next period.
func (p *Poller) finish(j *job) {
	if missed := j.device.done(j, p.start, time.Now()); missed > 0 {
		p.count(func(s *Stats) { s.Overruns += uint64(missed) })
	}
}

// bad says of points that they have no value, and why.
func (p *Poller) bad(ctx context.Context, d *device, tasks []*task, why string) {
	readings := make([]point.Reading, len(tasks))
	now := time.Now()
	for i, k := range tasks {
		readings[i] = k.Bad(d.ID, why, now)
		k.last = point.Reading{}
		d.fails(k, true)
	}
	if len(readings) > 0 {
		p.cfg.Emit(ctx, d.decoder.Derive(readings, readings))
	}
}

// Pauses for a device that says it is busy.
const (
	minBusy  = 50 * time.Millisecond
	maxBusy  = time.Second
	mostBusy = 6 // times in a row; then its points are bad
)

// busy leaves a device alone that has asked for it. Its points turn bad only when
// their period passes over that.
func (p *Poller) busy(ctx context.Context, j *job, err error) {
	d := j.device
	now := time.Now()
	d.hold = now.Add(min(minBusy<<min(d.busy, 10), maxBusy))
	d.busy++
	tired := d.busy > mostBusy
	switch {
	case j.kind == walking && tired:
		p.walked(ctx, d, nil)
	case j.kind == greeting && tired:
		p.wrote(d, err)
	case j.kind == looking && tired:
		d.search, d.only = nil, nil
	case j.kind == regular && (tired || !d.hold.Before(j.deadline)):
		p.bad(ctx, d, j.tasks, modbus.Reason(err))
		p.finish(j)
	}
}

// unplugged has no port to ask through.
func (p *Poller) unplugged(ctx context.Context, j *job, err error) {
	d := j.device
	if j.kind == regular {
		p.bad(ctx, d, j.tasks, modbus.Reason(err))
		p.finish(j)
		return
	}
	j.since = time.Now().Add(time.Second)
	if !d.offline { // nothing else of the device is asked for meanwhile
		p.bad(ctx, d, d.tasks, modbus.Reason(err))
	}
}

// wrote notes the outcome of a write of OnConnect, and goes on with the next.
func (p *Poller) wrote(d *device, err error) {
	w := d.OnConnect[d.greeted]
	if err != nil {
		p.log.Warn("device refuses a write of on_connect", "device", d.ID, "register", w.Register.String(), "value", w.Value, "error", err)
	}
	d.greeted++
	if d.greet(); d.only == nil {
		p.log.Info("device set up", "device", d.ID, "writes", d.greeted)
	}
}
