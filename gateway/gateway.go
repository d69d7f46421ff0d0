// Package gateway joins the parts into a running gateway: it builds them from a
// checked configuration, wires values upwards and starts and stops them in
// order. The parts meet only here.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker"
	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/broker/topic"
	"sluice/gateway/command"
	"sluice/gateway/config"
	"sluice/gateway/control"
	"sluice/gateway/homeassistant"
	"sluice/gateway/presence"
	"sluice/gateway/publish"
	"sluice/gateway/service"
	"sluice/gateway/status"
)

// Options are what a gateway needs besides its site file.
type Options struct {
	SiteFile string // that the configuration was read from, to be read again; empty: none
	StateDir string // where the queues, retained messages and sessions live, and what was learned of devices; created if missing
	Control  string // path of the control socket; empty: none
	Version  string // of the program, for the birth message
	Log      *slog.Logger
	Tap      broker.Tap        // sees every message on the local broker first; nil for none
	Traces   map[string]string // files for what passes the ports of buses, by bus
	Service  *service.Manager  // that is told how the gateway does; nil: none
}

// Gateway is a whole site: buses, broker and bridges.
type Gateway struct {
	opt      Options
	log      *slog.Logger
	retained *retain.Store    // nil: in memory only
	sessions *journal.Journal // likewise
	broker   *broker.Broker
	publish  *publish.Publisher
	me       *presence.Presence
	watch    *upstream.Watch // for the bridges
	board    *status.Board
	surveyor *surveyor
	watchdog *watchdog
	stuck    atomic.Pointer[[]string] // parts that make no progress
	started  time.Time
	ready    chan struct{}

	// Who comes and goes with the configuration, at work.
	bridging, announcing, polling, commanding *crew
	reporter                                  *presence.Reporter

	rereading  sync.Mutex // held by whoever reads the site file again
	changing   sync.Mutex // held by whoever changes what follows, all along
	mu         sync.Mutex // guards it against those who look
	cfg        *config.Config
	configured status.Config
	lines      []*line
	relays     []*relay
	announcer  *homeassistant.Announcer
	commander  *command.Commander
	results    *command.Journal // nil: as long as nobody may write points
	closed     bool
}

// New builds a gateway and opens what it has on disk; Run starts it. A gateway
// that is not run must be closed.
func New(cfg *config.Config, opt Options) (*Gateway, error) {
	board, now := status.NewBoard(), time.Now()
	opt.Log = slog.New(board.Tee(opt.Log.Handler()))
	g := &Gateway{
		opt: opt, log: opt.Log, board: board, started: now, cfg: cfg,
		configured: status.Config{File: opt.SiteFile, Digest: cfg.Digest, Loaded: now}, watch: upstream.NewWatch(opt.Log), ready: make(chan struct{}),
		bridging: newCrew("bridges", opt.Log), announcing: newCrew("announcers", opt.Log), polling: newCrew("lines", opt.Log),
		commanding: newCrew("commands", opt.Log),
	}
	g.surveyor, g.watchdog = newSurveyor(g), newWatchdog(g)
	if err := g.open(cfg); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	g.broker.Retap(g.taps)
	g.announcing.add(g.announcer)
	g.commanding.add(g.commander)
	for _, l := range g.lines {
		g.polling.add(l)
	}
	for _, r := range g.relays {
		g.bridging.add(r)
	}
	return g, nil
}

// open builds the parts, and opens what they have on disk.
func (g *Gateway) open(cfg *config.Config) (err error) {
	if err = g.openRetained(g.opt.StateDir); err != nil {
		return err
	}
	if err = g.openSessions(cfg.Broker.Sessions, g.opt.StateDir); err != nil {
		return err
	}
	if err = g.openResults(cfg); err != nil {
		return err
	}
	g.announcer, g.commander = g.newAnnouncer(cfg), g.newCommander(cfg)
	if g.broker, err = g.lanBroker(cfg, g.opt, g.protected(cfg)); err != nil {
		return err
	}
	g.publish = publish.New(published(cfg), g.broker.Publish, g.log)
	for _, b := range cfg.Buses {
		l, err := newLine(b, cfg.Devices, g.publish.Emit, g.opt)
		if err != nil {
			return err
		}
		g.lines = append(g.lines, l)
	}
	g.reporter = presence.NewReporter(g.reported(cfg), g.log)
	g.me = presence.New(presence.Config{Group: cfg.Group, Gateway: cfg.Gateway, Version: g.opt.Version, Config: cfg.Digest})
	for _, b := range cfg.Bridges {
		if err := g.addRelay(b, cfg.Bridges); err != nil {
			return err
		}
	}
	return nil
}

func (g *Gateway) newAnnouncer(cfg *config.Config) *homeassistant.Announcer {
	return homeassistant.New(announced(cfg, g.opt), func(ctx context.Context, m topic.Message) error { return g.broker.Publish(ctx, m) }, g.log)
}

// published is what the publisher does, up to the last word about each value.
func published(cfg *config.Config) publish.Config {
	messages := messagesOf(cfg)
	messages.Stopped = "gateway stopped"
	return messages
}

// protected are the topics that clients can't publish to.
func (g *Gateway) protected(cfg *config.Config) []string {
	messages := messagesOf(cfg)
	return slices.Concat(messages.Topics(), told(cfg.Status), []string{presence.BridgeTopics}, resultTopics(cfg), g.announcer.Topics())
}

// taps are those who see every message on the local broker.
func (g *Gateway) taps() []broker.Tap {
	var taps []broker.Tap
	if g.opt.Tap != nil {
		taps = append(taps, g.opt.Tap)
	}
	taps = append(taps, g.announcer.Tap, g.commander.Tap)
	for _, r := range g.relays {
		taps = append(taps, r.Offer)
	}
	return taps
}

// Board shows how the gateway does, once it runs.
func (g *Gateway) Board() *status.Board { return g.board }

// String returns the gateway's name in logs.
func (g *Gateway) String() string { return "gateway" }

// Ready is closed when every part runs: ports may still be missing and upstream
// may be away, but the broker serves and polling has begun.
func (g *Gateway) Ready() <-chan struct{} { return g.ready }

// Run runs the gateway until ctx is cancelled, then stops it in order: polling
// ends, what was read is published and stored, upstream hears a farewell. It
// closes the gateway.
func (g *Gateway) Run(ctx context.Context) error {
	var files stage
	if g.retained != nil {
		files = append(files, g.retained)
	}
	if g.sessions != nil {
		files = append(files, g.sessions)
	}
	stages := []stage{{g.surveyor, g.watchdog}, files, {g.broker, g.watch}, {g.bridging}, {g.publish, g.announcing, g.reporter}, {g.polling}, {g.commanding}}
	if g.opt.Control != "" {
		stages = append(stages, stage{control.NewServer(g.opt.Control, reached{g}, g.log)})
	}
	stages = append(stages, stage{readiness{g.opt.Service}})
	err := runStages(ctx, g.log, func() { close(g.ready) }, stages...)
	return errors.Join(err, g.Close())
}

// Close closes the queues, traces, retained messages and sessions of a gateway that
// does not run, and saves what its bridges have spent.
func (g *Gateway) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	var errs []error
	for _, l := range g.lines {
		errs = append(errs, l.close())
	}
	if g.retained != nil {
		errs = append(errs, g.retained.Close())
	}
	if g.sessions != nil {
		errs = append(errs, g.sessions.Close())
	}
	errs = append(errs, g.results.Close())
	for _, r := range g.relays {
		errs = append(errs, r.close(g.watch))
	}
	return errors.Join(errs...)
}
