package gateway

import (
	"path/filepath"
	"slices"
	"time"

	"sluice/gateway/config"
	"sluice/gateway/homeassistant"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
)

// announced is what Home Assistant is told: nothing without discovery, which
// takes back what it was told before.
func announced(cfg *config.Config, opt Options) homeassistant.Config {
	c := homeassistant.Config{Gateway: cfg.Gateway, Version: opt.Version, Memory: filepath.Join(opt.StateDir, "homeassistant.json")}
	if !cfg.HomeAssistant {
		return c
	}
	messages := messagesOf(cfg)
	for i := range cfg.Devices {
		d := &cfg.Devices[i]
		out := homeassistant.Device{ID: d.ID, Name: d.Name, Model: d.Template}
		for p := range d.Every() {
			if e, ok := entity(&messages, d, p); ok {
				e.Control = controlOf(cfg, d, p)
				out.Points = append(out.Points, e)
			}
		}
		if len(out.Points) > 0 {
			c.Devices = append(c.Devices, out)
		}
	}
	return c
}

// entity is what Home Assistant is told of a point; ok is false if no output has
// it in JSON on a topic of its own.
func entity(c *publish.Config, d *mapping.Device, p *mapping.Point) (e homeassistant.Point, ok bool) {
	i := slices.IndexFunc(c.Outputs, func(o publish.Output) bool {
		return o.Format.Form == payload.JSON && !o.Grouped() && o.Carries(d, p)
	})
	if i < 0 {
		return e, false
	}
	o := &c.Outputs[i]
	return homeassistant.Point{
		ID: p.ID, Topic: c.TopicOf(o, d, p), Kind: p.Kind(), Unit: p.Unit,
		DeviceClass: byUnit(p.Classes.Device), StateClass: byUnit(p.Classes.State), Every: longest(o, p),
	}, true
}

// controlOf is how a point is written; nil: it cannot be.
func controlOf(cfg *config.Config, d *mapping.Device, p *mapping.Point) *homeassistant.Control {
	i := slices.IndexFunc(cfg.Commands, func(c config.Command) bool { return c.Device == d.ID && c.Point == p.ID })
	if i < 0 {
		return nil
	}
	c := &homeassistant.Control{Topic: cfg.Commands[i].Topic, Min: p.Write.Min, Max: p.Write.Max, Step: p.Write.Step}
	for _, v := range p.Write.Values {
		c.Options = append(c.Options, v.String())
	}
	if len(c.Options) == 0 && p.Names != nil {
		c.Options = p.Names.Names()
	}
	if enum := p.Layout.Enum(); len(c.Options) == 0 && enum != nil {
		c.Options = enum.Names()
	}
	return c
}

func byUnit(class string) string {
	if class == mapping.Auto {
		return ""
	}
	return class
}

// longest is how long there may be no message about a point that is read; 0 for
// as long as it likes.
func longest(o *publish.Output, p *mapping.Point) time.Duration {
	switch {
	case o.Interval > 0 || p.Report.When == mapping.Always:
		return max(o.Interval, p.Interval, p.Report.MinInterval)
	case p.Report.MaxInterval > 0:
		return max(p.Report.MaxInterval, p.Interval)
	default:
		return 0
	}
}
