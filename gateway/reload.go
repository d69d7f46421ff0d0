package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"sluice/broker"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/presence"
	"sluice/mapping"
)

// errNotRunning refuses a reload before everything runs.
var errNotRunning = errors.New("the gateway is not running yet, or not any more")

// RestartError says that a change needs a restart.
type RestartError struct{ What string }

// Error names the part of the site file.
func (e *RestartError) Error() string {
	return e.What + " cannot change while the gateway runs"
}

// Reload puts another configuration to work: what it does not change goes on
// undisturbed. It returns what was changed, a line each. An error changes nothing.
func (g *Gateway) Reload(ctx context.Context, cfg *config.Config) ([]string, error) {
	g.changing.Lock()
	defer g.changing.Unlock()
	if !g.running() {
		return nil, errNotRunning
	}
	if err := fixed(g.cfg, cfg); err != nil {
		return nil, err
	}
	next, err := g.prepare(cfg)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := g.carryOut(context.WithoutCancel(ctx), next); err != nil {
		g.polling.fail() // neither the old configuration nor the new one: a new process will do
		return nil, fmt.Errorf("half of the new configuration is at work, the gateway ends: %w", err)
	}
	g.log.Info("reloaded", "config", cfg.Digest, "changes", len(next.changes), "took", time.Since(start).Round(time.Millisecond))
	return next.changes, nil
}

func (g *Gateway) running() bool {
	select {
	case <-g.ready:
		g.mu.Lock()
		defer g.mu.Unlock()
		return !g.closed
	default:
		return false
	}
}

// fixed reports what must stay as it is for as long as clients and upstream know the
// gateway by it.
func fixed(old, next *config.Config) error {
	switch {
	case old.Gateway != next.Gateway:
		return &RestartError{"the id of the gateway"}
	case old.Group != next.Group:
		return &RestartError{"the group"}
	case !reflect.DeepEqual(old.Broker, next.Broker):
		return &RestartError{"broker, its addresses, users and certificates,"}
	}
	return nil
}

// step is the way from one configuration to the next.
type step struct {
	cfg     *config.Config
	changes []string

	leave  []*line // that stop
	stay   []*line
	repoll []*line // of stay, those with other devices
	enter  []*line // that start

	part    []*relay // that stop for good
	keep    []*relay
	replace []*relay        // that stop for one of the same id
	open    []config.Bridge // that start
}

func (s *step) note(format string, args ...any) {
	s.changes = append(s.changes, fmt.Sprintf(format, args...))
}

// prepare finds out what has to be done, and builds what can fail.
func (g *Gateway) prepare(cfg *config.Config) (*step, error) {
	s := &step{cfg: cfg}
	s.compare(g.cfg)
	if err := g.prepareRelays(s); err != nil {
		return nil, err
	}
	if err := g.openResults(cfg); err != nil {
		return nil, err
	}
	for _, l := range g.lines {
		i := slices.IndexFunc(cfg.Buses, func(b config.Bus) bool { return b.ID == l.cfg.ID })
		switch {
		case i < 0 || !l.same(cfg.Buses[i]):
			s.leave = append(s.leave, l)
		case !l.polls(cfg.Devices):
			s.repoll = append(s.repoll, l)
			fallthrough
		default:
			s.stay = append(s.stay, l)
		}
	}
	for _, b := range cfg.Buses {
		if slices.ContainsFunc(s.stay, func(l *line) bool { return l.cfg.ID == b.ID }) {
			continue
		}
		l, err := newLine(b, cfg.Devices, g.publish.Emit, g.opt)
		if err != nil {
			return nil, errors.Join(err, closeAll(s.enter))
		}
		s.enter = append(s.enter, l)
	}
	return s, nil
}

func closeAll(lines []*line) error {
	var errs []error
	for _, l := range lines {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// compare words what is different.
func (s *step) compare(old *config.Config) {
	differ(s, "bus", old.Buses, s.cfg.Buses, func(b config.Bus) string { return b.ID }, func(a, b config.Bus) bool { return reflect.DeepEqual(a, b) })
	differ(s, "device", old.Devices, s.cfg.Devices, func(d mapping.Device) string { return d.ID }, func(a, b mapping.Device) bool { return a.Same(&b) })
	differ(s, "bridge", old.Bridges, s.cfg.Bridges, func(b config.Bridge) string { return b.ID }, func(a, b config.Bridge) bool { return reflect.DeepEqual(a, b) })
	before, after := messagesOf(old), messagesOf(s.cfg)
	if old.Site != s.cfg.Site {
		s.note("site is %s, was %s", s.cfg.Site, old.Site)
	} else if !before.Alike(after) {
		s.note("outputs changed")
	}
	if !slices.Equal(old.Commands, s.cfg.Commands) {
		s.note("commands changed")
	}
	if old.HomeAssistant != s.cfg.HomeAssistant {
		s.note("homeassistant changed")
	}
}

// differ words how two lists of things with ids differ.
func differ[T any](s *step, kind string, old, next []T, id func(T) string, same func(a, b T) bool) {
	find := func(list []T, name string) int {
		return slices.IndexFunc(list, func(t T) bool { return id(t) == name })
	}
	for _, t := range next {
		switch i := find(old, id(t)); {
		case i < 0:
			s.note("%s %s added", kind, id(t))
		case !same(old[i], t):
			s.note("%s %s changed", kind, id(t))
		}
	}
	for _, t := range old {
		if find(next, id(t)) < 0 {
			s.note("%s %s removed", kind, id(t))
		}
	}
}

// carryOut takes the step. Pollers of what changes stop before the publisher takes
// over the new devices, and start behind it: no reading meets the wrong plan.
func (g *Gateway) carryOut(ctx context.Context, s *step) error {
	gone := g.retainedTopics(g.cfg, s.cfg)
	errs := []error{g.swapCommander(s.cfg), g.stopPolling(s)}
	errs = append(errs, g.publish.Apply(ctx, published(s.cfg)))
	for _, name := range gone {
		_ = g.broker.Publish(ctx, topic.Message{Topic: name, QoS: 1, Retain: true}) // a queue that is full says so itself
	}
	errs = append(errs, g.swapRelays(s), g.announce(s.cfg))
	for _, l := range s.repoll {
		l.poll(s.cfg.Devices, g.publish.Emit, g.opt)
	}
	for _, l := range s.enter {
		g.polling.add(l)
	}
	g.mu.Lock()
	g.cfg, g.lines = s.cfg, inOrder(s.cfg.Buses, append(s.stay, s.enter...))
	g.mu.Unlock()
	g.reporter.Apply(g.reported(s.cfg))
	g.commanding.add(g.commander)
	return errors.Join(errs...)
}

// stopPolling ends the pollers and lines that the step replaces.
func (g *Gateway) stopPolling(s *step) error {
	var errs []error
	for _, l := range s.repoll {
		errs = append(errs, l.pollers.remove(l.poller))
	}
	for _, l := range s.leave {
		errs = append(errs, g.polling.remove(l))
		if err := l.close(); err != nil {
			g.log.Warn("trace ends badly", "bus", l.cfg.ID, "error", err)
		}
	}
	return errors.Join(errs...)
}

// retainedTopics are those on which the new configuration will not say anything
// any more, so that what was said there last must go.
func (g *Gateway) retainedTopics(old, next *config.Config) (gone []string) {
	kept := map[string]bool{}
	for _, m := range topicsKept(next) {
		kept[m] = true
	}
	for _, m := range topicsKept(old) {
		if !kept[m] {
			gone = append(gone, m)
		}
	}
	return gone
}

func topicsKept(cfg *config.Config) []string {
	var names []string
	messages := messagesOf(cfg)
	for _, m := range messages.Messages() {
		if m.Output.Retain {
			names = append(names, m.Topic)
		}
	}
	for _, b := range cfg.Bridges {
		of := presence.TopicsOf(b.ID)
		names = append(names, of[:]...)
	}
	return append(names, told(cfg.Status)...)
}

// announce has Home Assistant told of the new devices.
func (g *Gateway) announce(cfg *config.Config) error {
	next := g.newAnnouncer(cfg)
	err := g.announcing.remove(g.announcer)
	g.mu.Lock()
	g.announcer = next
	g.mu.Unlock()
	g.announcing.add(next)
	g.broker.Retap(g.taps)
	return errors.Join(err, g.broker.Protect(g.protected(cfg)))
}

// inOrder sorts lines as the site file has the buses.
func inOrder(buses []config.Bus, lines []*line) []*line {
	at := func(l *line) int { return slices.IndexFunc(buses, func(b config.Bus) bool { return b.ID == l.cfg.ID }) }
	slices.SortFunc(lines, func(a, b *line) int { return at(a) - at(b) })
	return lines
}

// prepareRelays sorts the bridges, and makes sure that those that start can be built.
func (g *Gateway) prepareRelays(s *step) error {
	all := s.cfg.Bridges
	for _, r := range g.relays {
		i := slices.IndexFunc(all, func(c config.Bridge) bool { return c.ID == r.cfg.ID })
		switch {
		case i < 0:
			s.part = append(s.part, r)
		case r.same(all[i], all):
			s.keep = append(s.keep, r)
		default:
			s.replace = append(s.replace, r)
		}
	}
	for _, c := range all {
		if slices.ContainsFunc(s.keep, func(r *relay) bool { return r.cfg.ID == c.ID }) {
			continue
		}
		if _, err := dialers(c, nil, func(topic.Message) {}, nil, g.log); err != nil {
			return fmt.Errorf("bridge %s: %w", c.ID, err)
		}
		s.open = append(s.open, c)
	}
	return nil
}

// swapRelays ends bridges and starts those in their place. Meanwhile their queues
// take messages, and between one tap and the next nobody can publish.
func (g *Gateway) swapRelays(s *step) error {
	var errs []error
	for _, r := range append(s.part, s.replace...) {
		errs = append(errs, g.bridging.remove(r))
	}
	var fresh []*relay
	g.me = g.me.Configured(s.cfg.Digest)
	g.broker.Retap(func() []broker.Tap {
		for _, c := range s.open {
			r, err := g.succeed(s, c)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			fresh = append(fresh, r)
		}
		for _, r := range s.part {
			errs = append(errs, r.close(g.watch))
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.relays = append(slices.Clone(s.keep), fresh...)
		return g.taps()
	})
	for _, r := range fresh {
		g.bridging.add(r)
	}
	return errors.Join(errs...)
}

// succeed builds a bridge on what its predecessor has on disk, if there is one.
func (g *Gateway) succeed(s *step, c config.Bridge) (*relay, error) {
	i := slices.IndexFunc(s.replace, func(r *relay) bool { return r.cfg.ID == c.ID })
	conn := uint64(0)
	if i >= 0 {
		conn = s.replace[i].Stats().Conn
	}
	if i >= 0 && s.replace[i].keeps(c) {
		return g.newRelay(c, s.cfg.Bridges, s.replace[i].store, conn)
	}
	if i >= 0 {
		if err := s.replace[i].close(g.watch); err != nil {
			return nil, err
		}
	}
	own, err := g.openStore(c)
	if err != nil {
		return nil, err
	}
	return g.newRelay(c, s.cfg.Bridges, own, conn)
}
