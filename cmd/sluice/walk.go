package main

import (
	"errors"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
)

// timing is what the device needs on the line, its rest included.
func (g target) timing() modbus.Timing {
	return modbus.Timing{Timeout: g.device.Timeout, Gap: max(g.bus.Gap, g.device.Rest), NoCanary: g.device.NoCanary}
}

// walk asks a device that lists its models where its points are. missing says why
// one has no place, by its index.
func (g target) walk(client wire) (moved mapping.Device, missing []string, err error) {
	w := mapping.NewWalk(&g.device)
	for {
		data, err := client.Do(w.Next(), g.timing())
		switch modbus.FaultOf(err) {
		case modbus.Silent, modbus.Frame, modbus.Medium, modbus.Busy:
			return g.device, nil, err
		}
		if err != nil {
			data = nil // refused: it is not there
		}
		if w.Tell(data) {
			d, missing := w.Moved()
			return *d, missing, nil
		}
	}
}

// place puts the points where the device has them; a point without a place gets a
// row that says why.
func (r *round) place() {
	if r.device.Chain == nil {
		return
	}
	moved, missing, err := r.walk(r.client)
	if err != nil {
		r.failed, r.gone = err, true
		return
	}
	r.device = moved
	for i, why := range missing {
		if why != "" {
			p := &r.device.Points[i]
			r.bad(p.Bad(r.device.ID, why, time.Now()))
			r.lacks = why
		}
	}
}

// lacking is the error of a device without the models of its template.
func lacking(why string) error {
	return hint(errors.New(why), "compare its maker and model with the template; many inverters have SunSpec switched off as delivered")
}

// place finds the point to write where the device has it.
func (c *change) place() error {
	if c.device.Chain == nil {
		return nil
	}
	moved, missing, err := c.walk(c.client)
	switch {
	case err != nil:
		return explainExchange(err)
	case missing[0] != "":
		return lacking(missing[0])
	}
	c.device = moved
	c.block = c.plan()[0]
	return nil
}

// there are the points that the device has.
func (r *round) there() []*mapping.Point {
	var points []*mapping.Point
	for _, p := range r.device.All() {
		if _, known := r.rows[p.ID]; !known {
			points = append(points, p)
		}
	}
	return points
}
