package publish

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"sluice/mapping"
)

// change is a configuration to go on with.
type change struct {
	cfg  Config
	done chan struct{} // closed when it is in use
}

// ErrEnded says that a publisher does not run any more.
var ErrEnded = errors.New("the publisher has ended")

// Apply replaces the configuration of a publisher that runs. What was queued before
// is published by the old one. Devices that are the same, with outputs that are,
// go on as if nothing had happened; of others the first readings are published. The
// error is the cause of ctx, or ErrEnded.
func (p *Publisher) Apply(ctx context.Context, cfg Config) error {
	c := change{cfg, make(chan struct{})}
	select {
	case p.changes <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.ended:
		return ErrEnded
	}
	<-c.done
	return nil
}

// change goes on with another configuration.
func (p *Publisher) change(ctx context.Context, c change) {
	defer close(c.done)
	p.drain(ctx)
	same := map[string]bool{}
	if p.cfg.Alike(c.cfg) {
		same = p.cfg.same(c.cfg.Devices)
	}
	p.flush(ctx, slices.DeleteFunc(slices.Clone(p.order), func(o *outlet) bool { return same[o.device] }))
	clear(p.clumsy)
	p.plan(c.cfg, same)
}

// plan leads readings to outlets: of devices that are the same to those there are.
func (p *Publisher) plan(cfg Config, same map[string]bool) {
	old := p.points
	p.cfg, p.stopped = cfg, cfg.Stopped
	p.points, p.order = map[pointID]*outlet{}, nil
	groups := map[groupID]*group{}
	cfg.each(func(o *Output, d *mapping.Device, pt *mapping.Point) {
		id := pointID{d.ID, pt.ID}
		switch {
		case !same[d.ID]:
			p.connect(&p.cfg, o, d, pt, groups)
		case p.points[id] == nil:
			p.points[id] = old[id]
			p.order = append(p.order, old[id])
		}
	})
}

// same are the ids of the devices that are so in another configuration.
func (c *Config) same(devices []mapping.Device) map[string]bool {
	ids := map[string]bool{}
	for i := range devices {
		d := &devices[i]
		ids[d.ID] = slices.ContainsFunc(c.Devices, func(o mapping.Device) bool { return o.ID == d.ID && o.Same(d) })
	}
	return ids
}

// equal reports whether two outputs publish the same.
func (o Output) equal(other Output) bool {
	alike := o.Format.Equal(other.Format)
	o.Format = other.Format
	return alike && reflect.DeepEqual(o, other)
}

// Alike reports whether two configurations publish the same devices the same way.
func (c *Config) Alike(other Config) bool {
	return c.Site == other.Site && c.Gateway == other.Gateway && slices.EqualFunc(c.Outputs, other.Outputs, Output.equal)
}
