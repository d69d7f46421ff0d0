package poll

import (
	"context"
	"time"

	"sluice/mapping"
)

// walked takes what came of a step along the models of a device, nil for a
// refusal. At the end of them the points stand where the device has them; those
// without a place are bad and not asked for until the device was away. One that
// lists no models, as while it starts, is asked for them again.
func (p *Poller) walked(ctx context.Context, d *device, data []byte) {
	if !d.walk.Tell(data) {
		return
	}
	again, listed := d.later != nil, d.walk.Listed()
	if listed || !again {
		p.place(ctx, d)
	}
	switch {
	case !listed:
		p.walkLater(d)
	case again:
		d.later, d.walks = nil, 0
		d.rejoin(p.start, time.Now())
		p.log.Info("device lists its models", "device", d.ID)
	}
}

// place moves the points to where the walk has found them, and says which it has
// not.
func (p *Poller) place(ctx context.Context, d *device) {
	d.move(d.walk.Moved())
	d.greet()
	d.next = time.Now() // plan anew
	lacking := map[string][]*task{}
	for _, k := range d.tasks {
		if k.missing != "" {
			lacking[k.missing] = append(lacking[k.missing], k)
		}
	}
	for why, tasks := range lacking {
		p.log.Warn("device lacks points of its template", "device", d.ID, "points", len(tasks), "reason", why)
		p.bad(ctx, d, tasks, why)
	}
}

// walkLater begins anew with the models after a while, as with a device that is
// offline; the points that are in none of them are read meanwhile.
func (p *Poller) walkLater(d *device) {
	d.walk = mapping.NewWalk(d.written)
	d.later = p.scheduled(&job{device: d, kind: walking}, time.Now().Add(absence(d.walks)))
	d.walks++
}
