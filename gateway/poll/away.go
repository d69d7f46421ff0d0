package poll

import (
	"context"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/backoff"
)

// share is the part of the bus that tries to reach devices that are offline may
// take, all together: one in share.
const share = 50

// Pauses between the tries that decide whether a device is offline.
const (
	firstRetry = 100 * time.Millisecond
	maxRetry   = time.Second
)

// failed notes an exchange without a usable answer. A damaged reply is asked for
// again at once, since somebody is there. A silent device has only one request
// at a time risked on it from now on, in gaps between the polls of others.
func (p *Poller) failed(ctx context.Context, j *job, err error) {
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
		d.probe = p.scheduled(j, now.Add(absence(d.probes)))
	case d.failures >= d.OfflineAfter && now.Sub(d.since) >= d.OfflineTime:
		p.lost(ctx, d, err)
	case d.failures == 1 && modbus.FaultOf(err) == modbus.Frame:
	default:
		d.probe = p.retry(j, now, modbus.FaultOf(err))
	}
}

// wasted counts time on the line that brought no answer. All devices that are
// offline pay for that of one of them.
func (p *Poller) wasted(d *device, took time.Duration) {
	p.count(func(s *Stats) { s.Unanswered += took })
	if d.offline {
		p.absent = time.Now().Add((share - 1) * took)
	}
}

// retry is the next try to reach a device that is not offline yet: of the same
// request, unless that was a write. One that is silent is given ever more time,
// one whose replies are damaged is there.
func (p *Poller) retry(j *job, now time.Time, f modbus.Fault) *job {
	d := j.device
	pause := firstRetry
	if f == modbus.Silent {
		spread := d.OfflineTime / time.Duration(max(d.OfflineAfter, 1))
		pause = max(min(spread, firstRetry<<min(2*d.failures-2, 10), maxRetry), firstRetry)
	}
	if j.kind == greeting || j.kind == looking || j.kind == walking {
		return p.probeFor(d, now.Add(pause))
	}
	again := *j
	again.kind, again.high = probing, false
	return p.scheduled(&again, now.Add(pause))
}

// absence is how long to wait after so many tries of a device that is offline. A
// random part keeps a lost segment from coming back in step.
func absence(tries int) time.Duration {
	return backoff.Policy{Min: 2 * time.Second, Max: 9 * time.Second}.Delay(tries)
}

// lost declares a device offline: all its values turn bad at once.
func (p *Poller) lost(ctx context.Context, d *device, err error) {
	d.offline, d.probes, d.greeted, d.only, d.search = true, 0, 0, nil, nil
	d.walk, d.walks, d.later, d.placed = nil, 0, nil, false
	d.probe = p.probeFor(d, time.Now().Add(absence(0)))
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

// probeFor is a request that finds out whether the device is back.
func (p *Poller) probeFor(d *device, at time.Time) *job {
	j := d.job(d.cheapest(p.terms(d)), 0)
	j.kind, j.high = probing, false
	return p.scheduled(j, at)
}

// scheduled gives a probe its time, and the room it takes while nobody answers.
func (p *Poller) scheduled(j *job, at time.Time) *job {
	d := j.device
	wait := d.timeout(j)
	if d.offline {
		wait = p.leastTimeout(d)
	}
	j.since, j.deadline = at, at.Add(patience)
	j.takes = p.cfg.Line.Chars(8) + p.cfg.Line.Silence() + p.cfg.Gap + wait
	return j
}

// thoroughly is how often a device that is offline gets all the time to answer
// that it is configured to have, whether or not others have to wait for it: a
// slower one may have taken its place.
const thoroughly = 5 * time.Minute

// timeout is how long the answer to a job is waited for. A device that is offline
// gets no more than it needed before. One that has never answered gets what room
// there is until the next poll.
func (p *Poller) timeout(j *job) time.Duration {
	d := j.device
	if j.kind != probing || !d.offline {
		return d.timeout(j)
	}
	if now := time.Now(); !now.Before(p.thorough) {
		p.thorough = now.Add(thoroughly)
		return d.Timeout
	}
	least := p.leastTimeout(d)
	if d.answers == 0 {
		wire := j.takes - least
		least = max(least, p.room-wire)
	}
	return min(d.Timeout, least)
}

// leastTimeout is what a device that is offline gets to answer: what it needed
// before or, when it has never been heard, twice what the others need.
func (p *Poller) leastTimeout(d *device) time.Duration {
	least := d.times.timeout()
	if least == 0 {
		for _, o := range p.devices {
			least = max(least, 2*o.times.timeout())
		}
	}
	if least == 0 {
		return d.Timeout
	}
	return min(d.Timeout, least)
}
