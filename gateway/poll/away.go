package poll

import (
	"context"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/backoff"
)

// share is the part of the bus that tries to reach devices that are offline may
// take, all together: one in share.
const share = 20

// absence is how long to wait between tries of a device that is offline. A random
// part keeps a lost segment from coming back in step.
var absence = backoff.Policy{Min: 2 * time.Second, Max: 9 * time.Second}

// Pauses between the tries that decide whether a device is offline.
const (
	firstRetry = 100 * time.Millisecond
	maxRetry   = time.Second
)

// failed notes an exchange that took so long without a usable answer. A damaged reply is asked for
// again at once, since somebody is there. A silent device has only one request
// at a time risked on it from now on, in gaps between the polls of others.
func (p *Poller) failed(ctx context.Context, j *job, took time.Duration, err error) {
	d := j.device
	now := time.Now()
	if d.failures == 0 {
		d.since = now
	}
	d.failures++
	if d.failures == 2 && !d.offline && j.block.Request.Count > 0 {
		p.bad(ctx, d, j.tasks, modbus.Reason(err))
	}
	switch {
	case d.offline:
		d.probes++
		p.absent = now.Add((share - 1) * took)
		d.probe = p.scheduled(j, now.Add(absence.Delay(d.probes)))
	case d.failures >= d.OfflineAfter && now.Sub(d.since) >= d.OfflineTime:
		p.lost(ctx, d, err)
	case d.failures == 1 && modbus.FaultOf(err) == modbus.Frame:
	default:
		d.probe = p.retry(j, now)
	}
}

// retry is the next try to reach a device that is not offline yet: of the same
// request, unless that was a write.
func (p *Poller) retry(j *job, now time.Time) *job {
	d := j.device
	pause := firstRetry
	if d.failures > 1 {
		pause = min(max(d.OfflineTime/time.Duration(d.OfflineAfter), firstRetry), maxRetry)
	}
	if j.kind == greeting || j.kind == looking {
		return p.probeFor(d, now.Add(pause))
	}
	again := *j
	again.kind, again.high = probing, false
	return p.scheduled(&again, now.Add(pause))
}

// lost declares a device offline: all its values turn bad at once.
func (p *Poller) lost(ctx context.Context, d *device, err error) {
	d.offline, d.probes, d.greeted, d.only, d.search = true, 0, 0, nil, nil
	d.probe = p.probeFor(d, time.Now().Add(absence.Delay(0)))
	p.count(func(s *Stats) { s.Offline++ })
	p.log.Warn("device offline", "device", d.ID, "failed", d.failures, "error", err)
	p.bad(ctx, d, d.tasks, "offline: "+modbus.Reason(err))
}

// there notes that a device has answered, if only to refuse. After an absence it
// is set up again, and everything is read at once.
func (p *Poller) there(d *device) {
	was := d.away()
	d.failures, d.probe = 0, nil
	if !was {
		return
	}
	d.rejoin(p.start, time.Now())
	if !d.offline {
		return
	}
	d.offline = false
	p.count(func(s *Stats) { s.Offline-- })
	p.log.Info("device online", "device", d.ID)
	d.greet()
}

// returned makes everything due, and every absent device tried, at once: the port
// was away, and nothing was known of them meanwhile.
func (p *Poller) returned() {
	now := time.Now()
	p.absent = time.Time{}
	for _, d := range p.devices {
		for _, k := range d.tasks {
			k.slot = k.period(p.start, now)
		}
		d.next = now
		if d.away() {
			d.probe = p.scheduled(d.probe, now)
		}
	}
}
