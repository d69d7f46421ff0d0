package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"sluice/broker/topic"
	"sluice/drivers/modbus"
	"sluice/gateway/command"
	"sluice/gateway/config"
	"sluice/gateway/durable"
	"sluice/gateway/poll"
	"sluice/mapping"
)

// openResults opens what is remembered of commands, once there are any. Where the
// disk does not let it, those with an id fail, and nothing else does.
func (g *Gateway) openResults(cfg *config.Config) error {
	if g.results != nil || g.opt.StateDir == "" || len(cfg.Commands) == 0 {
		return nil
	}
	j, err := command.OpenJournal(filepath.Join(g.opt.StateDir, "commands"), g.log.With("store", "commands"))
	switch {
	case errors.Is(err, durable.ErrLocked), errors.Is(err, durable.ErrVersion):
		return err
	case err != nil:
		g.log.Error("commands with an id will fail, as they cannot be remembered", "error", err)
		j = command.BrokenJournal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.results = j
	return nil
}

// newCommander builds who carries out commands to the devices of a configuration.
// It finds their buses when it needs them.
func (g *Gateway) newCommander(cfg *config.Config) *command.Commander {
	c := command.Config{
		Journal: g.results, Synced: synced,
		Publish: func(ctx context.Context, m topic.Message) error { return g.broker.Publish(ctx, m) },
	}
	for i := range cfg.Devices {
		d := &cfg.Devices[i]
		if points := commanded(cfg, d); len(points) > 0 {
			c.Devices = append(c.Devices, g.commandedDevice(cfg, d, points))
		}
	}
	return command.New(c, g.log)
}

func (g *Gateway) commandedDevice(cfg *config.Config, d *mapping.Device, points map[string]*mapping.Point) command.Device {
	on := cfg.Buses[slices.IndexFunc(cfg.Buses, func(b config.Bus) bool { return b.ID == d.Bus })]
	return command.Device{
		Device: d, Points: points, Line: planned(on), Gap: on.Gap,
		Offline: func() bool { return g.offline(d) },
		Exchange: func(ctx context.Context, req modbus.Request, t modbus.Timing) ([]byte, error) {
			l := g.lineOf(d.Bus)
			if l == nil {
				return nil, modbus.NotSent(fmt.Errorf("bus %s is gone", d.Bus))
			}
			r, err := l.bus.DoWhole(ctx, req, t)
			return r.Data, err
		},
	}
}

// commanded are the points of a device by their command topics.
func commanded(cfg *config.Config, d *mapping.Device) map[string]*mapping.Point {
	points := map[string]*mapping.Point{}
	for _, c := range cfg.Commands {
		i := slices.IndexFunc(d.Points, func(p mapping.Point) bool { return p.ID == c.Point })
		if c.Device == d.ID && i >= 0 {
			points[c.Topic] = &d.Points[i]
		}
	}
	return points
}

// lineOf is the bus as it is now; nil: there is none.
func (g *Gateway) lineOf(bus string) *line {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.IndexFunc(g.lines, func(l *line) bool { return l.cfg.ID == bus }); i >= 0 {
		return g.lines[i]
	}
	return nil
}

// offline reports whether the poller has found that a device does not answer.
func (g *Gateway) offline(d *mapping.Device) bool {
	l := g.lineOf(d.Bus)
	if l == nil {
		return false
	}
	return slices.ContainsFunc(l.polling().Stats().Units, func(u poll.UnitStats) bool { return u.Device == d.ID && u.State == poll.Offline })
}

// resultTopics are those on which only the gateway says what became of commands.
func resultTopics(cfg *config.Config) []string {
	var topics []string
	for _, c := range cfg.Commands {
		topics = append(topics, c.Topic+command.Suffix)
	}
	return topics
}

// swapCommander has a new commander take commands, and waits for the old one to
// finish the write that is on the wire. The new one begins when it is added to its
// crew.
func (g *Gateway) swapCommander(cfg *config.Config) error {
	old, next := g.commander, g.newCommander(cfg)
	g.mu.Lock()
	g.commander = next
	g.mu.Unlock()
	g.broker.Retap(g.taps)
	return g.commanding.remove(old)
}
