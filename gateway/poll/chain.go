package poll

import (
	"context"
	"time"
)

// walked takes what came of a step along the models of a device, nil for a
// refusal. At the end of them the points stand where the device has them; those
// without a place are bad and not asked for until the device was away.
func (p *Poller) walked(ctx context.Context, d *device, data []byte) {
	if !d.walk.Tell(data) {
		return
	}
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
