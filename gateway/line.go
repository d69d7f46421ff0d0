package gateway

import (
	"context"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"sync"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/tcp"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
	"sluice/gateway/poll"
	"sluice/mapping"
)

// line is a bus with all that belongs to it, from its port to its poller. The
// poller can be replaced while the bus goes on.
type line struct {
	cfg      config.Bus
	log      *slog.Logger
	port     *port
	bus      *bus.Bus
	listener *tcp.Listener     // nil unless the bus dials in
	trace    *transcript.Trace // nil: none was asked for
	pollers  *crew             // of one

	mu      sync.Mutex // guards what follows
	devices []mapping.Device
	poller  *poll.Poller
}

// newLine builds a bus and its poller, and begins its trace.
func newLine(c config.Bus, devices []mapping.Device, emit poll.Emit, opt Options) (*line, error) {
	l := &line{cfg: c, log: opt.Log, port: &port{cfg: c, log: opt.Log, doubts: new(modbus.Doubts), tracer: new(onlookers)}}
	l.pollers = newCrew("pollers of "+c.ID, opt.Log)
	if path := opt.Traces[c.ID]; path != "" {
		var err error
		if l.trace, err = openTrace(c, path, opt.Log); err != nil {
			return nil, err
		}
		l.port.tracer.add(l.trace)
	}
	if c.Listen != "" {
		l.listener = tcp.NewListener(tcp.ListenConfig{Bus: c.ID, Address: c.Listen, Allow: c.Allow}, opt.Log)
		l.port.listener = l.listener
	}
	l.bus = bus.New(bus.Config{ID: c.ID, Line: c.Line, Peer: c.Dial + c.Listen, Open: l.port.open}, opt.Log)
	l.poll(devices, emit, opt)
	return l, nil
}

// poll makes a poller for the devices, which replaces the one there is.
func (l *line) poll(devices []mapping.Device, emit poll.Emit, opt Options) {
	c := l.cfg
	mine := onBus(devices, c.ID)
	p := poll.New(poll.Config{
		Bus: c.ID, Line: planned(c), Gap: c.Gap, Jitter: jitter(c), Devices: mine, Emit: emit, Back: l.bus.Back(),
		Exchange: l.exchange(bus.Poll), Command: l.exchange(bus.Command), Memory: filepath.Join(opt.StateDir, "devices", c.ID+".json"),
	}, l.log)
	l.mu.Lock()
	l.devices, l.poller = mine, p
	l.mu.Unlock()
	l.pollers.add(p)
}

// polling is the poller that there is.
func (l *line) polling() *poll.Poller {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.poller
}

func (l *line) exchange(p bus.Priority) poll.Exchange {
	return func(ctx context.Context, req modbus.Request, t modbus.Timing) (poll.Response, error) {
		r, err := l.bus.Do(ctx, p, req, t)
		return poll.Response(r), err
	}
}

// same reports whether a bus is to be what it is.
func (l *line) same(c config.Bus) bool { return reflect.DeepEqual(l.cfg, c) }

// polls reports whether the poller has these devices of the site already.
func (l *line) polls(devices []mapping.Device) bool {
	return slices.EqualFunc(l.devices, onBus(devices, l.cfg.ID), func(a, b mapping.Device) bool { return a.Same(&b) })
}

// String is "line " and the bus.
func (l *line) String() string { return "line " + l.cfg.ID }

// Run runs the parts until ctx is cancelled.
func (l *line) Run(ctx context.Context) error {
	stages := []stage{{l.bus}, {l.pollers}}
	if l.listener != nil {
		stages = append([]stage{{l.listener}}, stages...)
	}
	if l.trace != nil {
		stages = append([]stage{{l.trace}}, stages...)
	}
	return runStages(ctx, l.log, func() {}, stages...)
}

// close closes what New opened.
func (l *line) close() error {
	if l.trace == nil {
		return nil
	}
	return l.trace.Close()
}
