package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"sluice/drivers/ascii"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/serial"
	"sluice/drivers/tcp"
	"sluice/gateway/config"
)

// port is the serial port of a bus, or its connection to the network, opened
// again whenever it was away. Doubts about late replies outlive that.
type port struct {
	cfg    config.Bus
	log    *slog.Logger
	doubts *modbus.Doubts
	tracer *onlookers

	listener *tcp.Listener // nil unless a converter dials in

	mu     sync.Mutex // guards the rest
	serial *serial.Port
	told   []string // notes that are in the log
}

// OpenBus opens the port or the connection of a bus once, as a gateway would. The
// caller closes the transport. Doubts may be shared with one opened earlier. A
// converter that dials in is not waited for. What passes goes by tracer, if there
// is one.
func OpenBus(ctx context.Context, c config.Bus, doubts *modbus.Doubts, tracer Tracer) (bus.Transport, error) {
	if c.Listen != "" {
		return nil, fmt.Errorf("the converter of bus %s dials in to the running gateway, and nowhere else", c.ID)
	}
	looking := new(onlookers)
	if tracer != nil {
		looking.add(tracer)
	}
	return (&port{cfg: c, log: slog.New(slog.DiscardHandler), doubts: doubts, tracer: looking}).open(ctx)
}

// open connects to the bus.
func (p *port) open(ctx context.Context) (bus.Transport, error) {
	var conn net.Conn
	var err error
	switch {
	case p.listener != nil:
		conn, err = p.listener.Take()
	case p.cfg.Dial != "":
		conn, err = tcp.Dial(ctx, p.cfg.Dial)
	default:
		return p.openSerial()
	}
	if err != nil {
		return nil, err
	}
	return overNetwork(p.cfg, traceConn(conn, p.tracer), p.doubts), nil
}

// virtualJitter is how long the program at the other end of a pseudo-terminal, a
// simulator or a bridge to a converter, may pause within a frame: machines are busy.
const virtualJitter = 200 * time.Millisecond

// openSerial finds and opens the serial port.
func (p *port) openSerial() (bus.Transport, error) {
	c := p.cfg
	s, err := serial.Open(serial.Config{Port: c.Port, Line: c.Line, RS485: c.RS485, LowLatency: c.LowLatency})
	if err != nil {
		return nil, err
	}
	p.opened(s)
	traced := tracePort(s, p.tracer)
	if c.Framing == modbus.ASCII {
		return ascii.New(traced, ascii.Config{Line: c.Line, Echo: c.Echo, Doubts: p.doubts}), nil
	}
	t := rtu.Config{Line: c.Line, Echo: c.Echo, Virtual: s.Virtual(), Doubts: p.doubts}
	if s.Virtual() {
		t.Jitter = virtualJitter
	}
	if c.RS485 != nil {
		t.Lead = c.RS485.DelayBefore
	}
	return rtu.New(traced, t), nil
}

// opened logs where the port was found and what its driver does not do, when
// that is news.
func (p *port) opened(s *serial.Port) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Path() != p.cfg.Port && (p.serial == nil || p.serial.Path() != s.Path()) {
		p.log.Info("port found", "bus", p.cfg.ID, "port", p.cfg.Port, "path", s.Path())
	}
	if notes := s.Notes(); !slices.Equal(notes, p.told) {
		for _, n := range notes {
			p.log.Info("port is not all that was asked for", "bus", p.cfg.ID, "path", s.Path(), "note", n)
		}
		p.told = notes
	}
	p.serial = s
}

// PortStatus is a snapshot of a serial port.
type PortStatus struct {
	Path   string   // where it was found last; empty before that
	Notes  []string // see serial.Port.Notes
	Errors serial.LineErrors
	// Counted tells that Errors is known: the port is open, and its driver counts.
	Counted bool
}

func (p *port) status() PortStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.serial == nil {
		return PortStatus{}
	}
	s := PortStatus{Path: p.serial.Path(), Notes: p.serial.Notes()}
	if errs, err := p.serial.LineErrors(); err == nil {
		s.Errors, s.Counted = errs, true
	}
	return s
}
