package poll

import (
	"context"
	"math"
	"time"

	"sluice/mapping/point"
)

// heard keeps the readings of a job's points, in their order, so that they can be
// called old once they are.
func (p *Poller) heard(j *job, readings []point.Reading) {
	for i, k := range j.tasks {
		k.last = readings[i]
		j.device.fails(k, false)
		p.aging = earlier(p.aging, k.staleAt(j.device))
	}
}

// staleAt is when the last value of a point becomes too old to stand for what the
// device has now.
func (k *task) staleAt(d *device) time.Time {
	if d.StaleAfter == 0 {
		return k.last.Time.Add(math.MaxInt64)
	}
	return k.last.Time.Add(time.Duration(d.StaleAfter) * k.Interval)
}

// age calls values stale that have not been read again for too long: the bus is
// asked for more than it can carry, or the device keeps putting everybody off. It
// does so once, and the value stays with the time at which it was read.
func (p *Poller) age(ctx context.Context, now time.Time) {
	if now.Before(p.aging) {
		return
	}
	p.aging = now.Add(time.Hour)
	for _, d := range p.devices {
		var old []point.Reading
		for _, k := range d.tasks {
			switch at := k.staleAt(d); {
			case k.last.Value.Kind() == point.None:
			case at.After(now):
				p.aging = earlier(p.aging, at)
			default:
				k.last.Quality, k.last.Reason = point.Stale, "not read again"
				old = append(old, k.last)
				k.last = point.Reading{}
			}
		}
		if len(old) > 0 {
			p.cfg.Emit(ctx, d.decoder.Derive(old, old))
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
