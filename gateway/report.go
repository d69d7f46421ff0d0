package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/poll"
	"sluice/gateway/presence"
)

// reported is what is told on the local broker of devices and bridges.
func (g *Gateway) reported(cfg *config.Config) presence.ReporterConfig {
	return presence.ReporterConfig{
		Status:  cfg.Status,
		Devices: func() []presence.Device { return g.devices(cfg) },
		Bridges: func() []presence.Bridge {
			var all []presence.Bridge
			_, relays := g.parts()
			for _, r := range relays {
				all = append(all, reportedBridge(r.cfg.ID, r.Stats()))
			}
			return all
		},
		Publish: func(ctx context.Context, m topic.Message) error { return g.broker.Publish(ctx, m) },
	}
}

// told are the topics on which something is told.
func told(topics []string) []string {
	return slices.DeleteFunc(slices.Clone(topics), func(name string) bool { return name == "" })
}

// devices is how the devices are, in the order of the site file, the disabled ones
// last.
func (g *Gateway) devices(cfg *config.Config) []presence.Device {
	units := map[string]poll.UnitStats{}
	lines, _ := g.parts()
	for _, l := range lines {
		for _, u := range l.polling().Stats().Units {
			units[u.Device] = u
		}
	}
	var all []presence.Device
	for _, d := range cfg.Devices {
		u := units[d.ID]
		all = append(all, presence.Device{
			ID: d.ID, Bus: d.Bus, State: string(cmp.Or(u.State, poll.Unknown)), Since: u.Since, LastGood: u.LastGood, Error: u.Error, ErrorAt: u.ErrorAt,
			Failing: u.Failing, Answers: u.Answers, Failures: u.Failures, Latency: u.Latency,
		})
	}
	for _, d := range cfg.Disabled {
		all = append(all, presence.Device{ID: d.ID, Bus: d.Bus, State: "disabled"})
	}
	return all
}

func reportedBridge(id string, s bridge.Stats) presence.Bridge {
	b := presence.Bridge{ID: id, Connected: s.Connected, Since: s.Since, LastError: s.LastError, LastErrorAt: s.LastErrorAt}
	for _, l := range s.Lanes {
		if l.Backlog == 0 {
			continue
		}
		b.Messages += l.Backlog
		b.Bytes += l.BacklogBytes
		b.Oldest = earliest(b.Oldest, l.OldestAt)
	}
	return b
}

// earliest is the earlier of two times, of which either may be zero: not known.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
