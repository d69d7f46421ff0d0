package publish

import (
	"time"

	"sluice/mapping"
)

// groupID tells groups apart.
type groupID struct {
	output *Output
	device string
	every  time.Duration // 0 with an interval
	point  string        // empty if messages are about several
}

// groupOf is the group that a point belongs to.
func groupOf(o *Output, d *mapping.Device, p *mapping.Point) groupID {
	id := groupID{output: o, device: d.ID}
	switch {
	case !o.Grouped():
		id.point = p.ID
	case o.Interval == 0:
		id.every = p.Interval
	}
	return id
}

// connect leads the readings of a point to an output.
func (p *Publisher) connect(cfg *Config, o *Output, d *mapping.Device, pt *mapping.Point, groups map[groupID]*group) {
	out := p.outlet(d, pt)
	if !o.Grouped() {
		out.routes = append(out.routes, &route{lane: newLane(cfg, o, d, pt)})
		return
	}
	id := groupOf(o, d, pt)
	g := groups[id]
	if g == nil {
		g = &group{lane: newLane(cfg, o, d, pt), every: pt.Interval}
		groups[id] = g
	}
	out.places = append(out.places, place{g, g.add()})
}

func (p *Publisher) outlet(d *mapping.Device, pt *mapping.Point) *outlet {
	id := pointID{d.ID, pt.ID}
	if out := p.points[id]; out != nil {
		return out
	}
	out := &outlet{device: d.ID, gate: gate{rule: pt.Report, every: pt.Interval}}
	p.points[id] = out
	p.order = append(p.order, out)
	return out
}

func newLane(cfg *Config, o *Output, d *mapping.Device, pt *mapping.Point) lane {
	return lane{output: o, topic: cfg.TopicOf(o, d, pt), writer: cfg.Writer(o, d, pt)}
}
