// Package gateway joins the parts into a running gateway: it builds them from a
// checked configuration, wires values upwards and starts and stops them in
// order. The parts meet only here.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"sluice/bridge"
	"sluice/bridge/budget"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker"
	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/broker/topic"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/tcp"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
	"sluice/gateway/homeassistant"
	"sluice/gateway/poll"
	"sluice/gateway/presence"
	"sluice/gateway/publish"
	"sluice/mapping"
)

// Options are what a gateway needs besides its site file.
type Options struct {
	StateDir string // where the queues, retained messages and sessions live, and what was learned of devices; created if missing
	Version  string // of the program, for the birth message
	Log      *slog.Logger
	Tap      broker.Tap        // sees every message on the local broker first; nil for none
	Traces   map[string]string // files for what passes the ports of buses, by bus
}

// Gateway is a whole site: buses, broker and bridges.
type Gateway struct {
	log       *slog.Logger
	retained  *retain.Store    // nil: in memory only
	sessions  *journal.Journal // likewise
	broker    *broker.Broker
	publish   *publish.Publisher
	announcer *homeassistant.Announcer
	reporter  *presence.Reporter
	ports     []*port // of the buses
	buses     []*bus.Bus
	listeners []*tcp.Listener // for buses that dial in
	pollers   []*poll.Poller
	traces    []*transcript.Trace // of some buses
	bridges   []*bridge.Bridge
	keepers   []*presence.Keeper // of the bridges
	watch     *upstream.Watch    // for the bridges
	queues    []*queue.Queue
	budgets   []*budget.Budget
	ready     chan struct{}
}

// New builds a gateway and opens what it has on disk; Run starts it. A gateway
// that is not run must be closed.
func New(cfg *config.Config, opt Options) (*Gateway, error) {
	g := &Gateway{log: opt.Log, watch: upstream.NewWatch(opt.Log), ready: make(chan struct{})}
	messages := messagesOf(cfg)
	messages.Stopped = "gateway stopped"
	var err error
	g.announcer = homeassistant.New(announced(cfg, opt), func(ctx context.Context, m topic.Message) error { return g.broker.Publish(ctx, m) }, opt.Log)
	if err = g.openRetained(opt.StateDir); err != nil {
		return nil, err
	}
	if err = g.openSessions(cfg.Broker.Sessions, opt.StateDir); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.broker, err = g.lanBroker(cfg, opt, slices.Concat(messages.Topics(), told(cfg.Status), []string{presence.BridgeTopics}, g.announcer.Topics()))
	if err != nil {
		return nil, errors.Join(err, g.Close())
	}
	if opt.Tap != nil {
		g.broker.Tap(opt.Tap)
	}
	g.broker.Tap(g.announcer.Tap)
	g.publish = publish.New(messages, g.broker.Publish, opt.Log)
	for i, b := range cfg.Buses {
		g.addBus(b, cfg.Devices, opt.StateDir)
		if g.ports[i].tracer, err = g.openTrace(b, opt.Traces[b.ID]); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	g.reporter = presence.NewReporter(g.reported(cfg), opt.Log)
	me := presence.New(presence.Config{Group: cfg.Group, Gateway: cfg.Gateway, Version: opt.Version, Config: cfg.Digest})
	for _, b := range cfg.Bridges {
		if err := g.addBridge(b, cfg.Bridges, me, opt.StateDir); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	return g, nil
}

// addBus builds a bus and its poller.
func (g *Gateway) addBus(c config.Bus, devices []mapping.Device, stateDir string) {
	port := &port{cfg: c, log: g.log, doubts: new(modbus.Doubts)}
	if c.Listen != "" {
		port.listener = tcp.NewListener(tcp.ListenConfig{Bus: c.ID, Address: c.Listen, Allow: c.Allow}, g.log)
		g.listeners = append(g.listeners, port.listener)
	}
	b := bus.New(bus.Config{ID: c.ID, Line: c.Line, Peer: c.Dial + c.Listen, Open: port.open}, g.log)
	exchange := func(p bus.Priority) poll.Exchange {
		return func(ctx context.Context, req modbus.Request, t modbus.Timing) (poll.Response, error) {
			r, err := b.Do(ctx, p, req, t)
			return poll.Response(r), err
		}
	}
	g.ports = append(g.ports, port)
	g.buses = append(g.buses, b)
	g.pollers = append(g.pollers, poll.New(poll.Config{
		Bus: c.ID, Line: planned(c), Gap: c.Gap, Jitter: jitter(c), Devices: onBus(devices, c.ID), Emit: g.publish.Emit, Back: b.Back(),
		Exchange: exchange(bus.Poll), Command: exchange(bus.Command), Memory: filepath.Join(stateDir, "devices", c.ID+".json"),
	}, g.log))
}

// addBridge opens a bridge's queue and taps the broker for it.
func (g *Gateway) addBridge(c config.Bridge, all []config.Bridge, me *presence.Presence, stateDir string) error {
	volume, err := openBudget(c, stateDir, g.log.With("bridge", c.ID))
	if err != nil {
		return fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	var spend func(int64)
	if volume != nil {
		spend = volume.Spend
		g.budgets = append(g.budgets, volume)
	}
	var b *bridge.Bridge
	keeper := me.Keeper(presence.KeeperConfig{
		Bridge: c.ID, Every: c.Presence.Heartbeat, Watch: c.Presence.Watch, Health: g.healthSince(stateDir),
		Say: func(m topic.Message) bool { return b.Say(m) },
	}, g.log)
	receive := func(m topic.Message) { keeper.Seen(m); b.Accept(m) }
	dials, err := dialers(c, spend, receive, keeper.Filters(), g.log)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	q, err := queue.Open(QueueConfig(c, stateDir), g.log.With("bridge", c.ID))
	if err != nil {
		return fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	g.queues = append(g.queues, q)
	cfg := bridgeConfig(c, me, keeper, g.watch.Up())
	cfg.Failover, cfg.Budget = dials[1:], volume
	cfg.Deliver, cfg.Beside = g.broker.Deliver, beside(c, all)
	b = bridge.New(cfg, q, dials[0], g.log)
	g.broker.Tap(b.Offer)
	g.bridges = append(g.bridges, b)
	g.keepers = append(g.keepers, keeper)
	return nil
}

// String returns the gateway's name in logs.
func (g *Gateway) String() string { return "gateway" }

// Ready is closed when every part runs: ports may still be missing and upstream
// may be away, but the broker serves and polling has begun.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Run runs the gateway until ctx is cancelled, then stops it in order: polling
// ends, what was read is published and stored, upstream hears a farewell. It
// closes the gateway.
func (g *Gateway) Run(ctx context.Context) error {
	files := tasks(g.traces)
	if g.retained != nil {
		files = append(files, g.retained)
	}
	if g.sessions != nil {
		files = append(files, g.sessions)
	}
	stages := []stage{files, {g.broker, g.watch}, append(tasks(g.keepers), tasks(g.bridges)...), {g.publish, g.announcer, g.reporter}, tasks(g.listeners), tasks(g.buses), tasks(g.pollers)}
	err := runStages(ctx, g.log, func() { close(g.ready) }, stages...)
	return errors.Join(err, g.Close())
}

func tasks[T task](parts []T) stage {
	s := make(stage, len(parts))
	for i, p := range parts {
		s[i] = p
	}
	return s
}

// Close closes the queues, traces, retained messages and sessions of a gateway that
// does not run, and saves what its bridges have spent.
func (g *Gateway) Close() error {
	var errs []error
	for _, t := range g.traces {
		errs = append(errs, t.Close())
	}
	if g.retained != nil {
		errs = append(errs, g.retained.Close())
		g.retained = nil
	}
	if g.sessions != nil {
		errs = append(errs, g.sessions.Close())
		g.sessions = nil
	}
	for _, q := range g.queues {
		errs = append(errs, q.Close())
	}
	for _, b := range g.budgets {
		b.Close()
	}
	g.queues, g.budgets, g.traces = nil, nil, nil
	return errors.Join(errs...)
}
