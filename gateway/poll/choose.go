package poll

import (
	"cmp"
	"time"
)

// patience is how long what brings no readings waits for a gap between polls that
// it fits into.
const patience = time.Second

// tolerance is by how much of its period a point of high priority may be late
// when that saves the line from idling: one in so many.
const tolerance = 25

// choose returns the job that goes next. When there is none, wake is when to look
// again; zero for never.
//
// Points of high priority go first, then the earliest deadline, then what has
// waited longest since it was last read: so at overload everything else slows
// down evenly. A request on the line cannot be interrupted. One that would still
// be there when something more important falls due waits for that.
func (p *Poller) choose(now time.Time) (best *job, wake time.Time) {
	h := p.horizon(now)
	p.room = h.room(now)
	consider := func(j *job) {
		if free := p.notBefore(j, h, now); free.After(now) {
			wake = earliest(wake, free)
		} else if best == nil || p.before(j, best, now) {
			best = j
		}
	}
	for _, d := range p.devices {
		if d.hold.After(now) {
			wake = earliest(wake, d.hold)
			continue
		}
		switch {
		case d.away():
			consider(d.probe)
		case d.only != nil:
			consider(d.only)
		default:
			for _, j := range d.jobs {
				consider(j)
			}
			if d.later != nil {
				consider(d.later)
			}
			wake = earliest(wake, d.next)
		}
	}
	return best, wake
}

// horizon is when something falls due on a bus.
type horizon struct {
	high, any time.Time // zero: never
	busy      bool      // something is due now
}

// room is how long nothing falls due.
func (h horizon) room(now time.Time) time.Duration {
	switch {
	case h.busy:
		return 0
	case h.any.IsZero():
		return time.Hour
	default:
		return h.any.Sub(now)
	}
}

// horizon brings the plans of all devices up to date.
func (p *Poller) horizon(now time.Time) (h horizon) {
	for _, d := range p.devices {
		if d.away() || d.hold.After(now) {
			continue
		}
		d.plan(now, p.terms(d))
		h.any = earliest(h.any, d.next)
		h.busy = h.busy || len(d.jobs) > 0
		if p.tightest == 0 {
			continue
		}
		for _, k := range d.tasks {
			if k.Priority && k.slot.After(now) {
				h.high = earliest(h.high, k.slot)
			}
		}
	}
	return h
}

// notBefore returns when a job may go out: in the past, or when something more
// important will have been served that it would be in the way of.
func (p *Poller) notBefore(j *job, h horizon, now time.Time) time.Time {
	end := now.Add(j.takes)
	switch {
	case j.kind == probing && j.device.offline && p.absent.After(now):
		return p.absent
	case j.since.After(now):
		return j.since
	case j.high:
		return time.Time{}
	case !h.high.IsZero() && end.After(h.high.Add(p.tightest/tolerance)) && j.takes <= p.tightest/2 && !j.starves(now):
		return h.high
	case p.patient(j, now) && !h.any.IsZero() && end.After(h.any):
		return earliest(h.any, p.patience(j))
	}
	return time.Time{}
}

// patient reports whether a job waits for a gap: what brings no readings does,
// for a while. The first repetition does not: most likely a frame was disturbed.
func (p *Poller) patient(j *job, now time.Time) bool {
	idle := j.kind == looking || j.kind == probing && j.device.failures > 1 || j == j.device.later
	return idle && now.Before(p.patience(j))
}

// patience is when a job stops waiting for a gap.
func (p *Poller) patience(j *job) time.Time {
	from := j.since
	if j.device.offline && p.absent.After(from) { // it was not allowed to go before
		from = p.absent
	}
	return from.Add(patience)
}

// starves reports whether a job is late by more than a period.
func (j *job) starves(now time.Time) bool { return now.Sub(j.deadline) > j.deadline.Sub(j.since) }

// before reports whether a goes before b.
func (p *Poller) before(a, b *job, now time.Time) bool {
	return cmp.Or(cmp.Compare(p.rank(a, now), p.rank(b, now)), a.deadline.Compare(b.deadline), a.read.Compare(b.read)) < 0
}

// rank is a job's importance, the lowest first.
func (p *Poller) rank(j *job, now time.Time) int {
	switch {
	case j.high:
		return 0
	case p.patient(j, now):
		return 2
	default:
		return 1
	}
}

// earliest is the first of two times, of which zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
