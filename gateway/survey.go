package gateway

import (
	"context"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/gateway/config"
	"sluice/gateway/progress"
	"sluice/gateway/status"
)

const (
	surveyEvery = time.Second
	// rateOver is the time that rates are means of, the latest weighing most.
	rateOver = 10 * time.Second
)

// surveyor keeps the board up to date.
type surveyor struct {
	gw    *Gateway
	turns progress.Turns

	mu    sync.Mutex // guards the rest
	at    time.Time
	rates map[string]*rate
}

// rate is how fast a counter grows.
type rate struct {
	last  float64
	value float64
	known bool
}

func newSurveyor(g *Gateway) *surveyor { return &surveyor{gw: g, rates: map[string]*rate{}} }

// String returns the surveyor's name in logs.
func (s *surveyor) String() string { return "surveyor" }

// Run looks at every part once a second until ctx is cancelled.
func (s *surveyor) Run(ctx context.Context) error {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		s.turns.Begin()
		s.look()
		s.turns.End()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Turns lets a watchdog see that the surveyor makes progress.
func (s *surveyor) Turns() uint64 { return s.turns.Count() }

// look brings the board up to date.
func (s *surveyor) look() status.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.survey(time.Now())
	s.gw.board.Set(out)
	return out
}

// survey asks every part how it does.
func (s *surveyor) survey(now time.Time) status.Snapshot {
	g := s.gw
	g.mu.Lock()
	cfg, lines, relays := g.cfg, g.lines, g.relays
	out := status.Snapshot{
		At: now, Site: cfg.Site, Gateway: cfg.Gateway, Group: cfg.Group, Version: g.opt.Version, Started: g.started,
		Config: g.configured, Devices: []status.Device{}, Bridges: []status.Bridge{},
	}
	g.mu.Unlock()
	out.Ready = g.running()
	if stuck := g.stuck.Load(); stuck != nil {
		out.Stuck = *stuck
	}
	step := now.Sub(s.at)
	s.at = now
	seen := map[string]bool{}
	pace := func(name string, count float64) float64 {
		seen[name] = true
		return s.pace(name, count, step)
	}
	for _, l := range lines {
		b, devices := l.survey()
		b.Load = min(1, pace("load "+b.ID, b.Busy.Seconds()))
		b.Rate = pace("rate "+b.ID, float64(b.Exchanges))
		out.Buses, out.Devices = append(out.Buses, b), append(out.Devices, devices...)
	}
	for _, r := range relays {
		b := r.survey()
		b.Drain = pace("drain "+b.ID, float64(b.Delivered))
		b.Intake = pace("intake "+b.ID, appended(b))
		out.Bridges = append(out.Bridges, b)
	}
	for name := range s.rates {
		if !seen[name] {
			delete(s.rates, name)
		}
	}
	out.Broker, out.StateDir = g.surveyBroker(), diskOf(g.opt.StateDir)
	return out
}

// pace returns how much a count grows in a second.
func (s *surveyor) pace(name string, count float64, step time.Duration) float64 {
	r := s.rates[name]
	if r == nil {
		r = new(rate)
		s.rates[name] = r
	}
	if grown := count - r.last; r.known && grown >= 0 && step > 0 {
		weight := 1 - math.Exp(-step.Seconds()/rateOver.Seconds())
		r.value += weight * (grown/step.Seconds() - r.value)
	}
	r.last, r.known = count, true
	return r.value
}

func appended(b status.Bridge) (n float64) {
	for _, l := range b.Lanes {
		n += float64(l.Appended)
	}
	return n
}

// survey asks a line how it does.
func (l *line) survey() (status.Bus, []status.Device) {
	l.mu.Lock()
	poller, devices := l.poller, l.devices
	l.mu.Unlock()
	port, wire, polls := l.port.status(), l.bus.Stats(), poller.Stats()
	b := status.Bus{
		ID: l.cfg.ID, Place: place(l.cfg), Path: port.Path, Framing: l.cfg.Framing.String(),
		Open: wire.Open, Opens: wire.Opens, Exchanges: wire.Exchanges, Faults: map[string]uint64{}, Busy: wire.Busy,
		Polls: polls.Polls, Overruns: polls.Overruns, Notes: port.Notes,
		Took: status.Histogram{Bounds: bus.Bounds[:], Counts: wire.Took[:], Sum: wire.Busy},
	}
	if l.cfg.Port != "" {
		b.Line = l.cfg.Line.String()
	}
	if wire.LastError != nil {
		b.Error = wire.LastError.Error()
	}
	for f, n := range wire.Faults {
		if fault := modbus.Fault(f); fault != modbus.None {
			b.Faults[fault.String()] = n
		}
	}
	var list []status.Device
	for i, u := range polls.Units {
		d := &devices[i]
		list = append(list, status.Device{
			ID: d.ID, Name: d.Name, Bus: l.cfg.ID, Unit: uint8(d.Unit), Template: d.Template, Points: len(d.Points) + len(d.Derived),
			State: string(u.State), Since: u.Since, LastGood: u.LastGood, Failing: u.Failing, Error: u.Error, ErrorAt: u.ErrorAt,
			Answers: u.Answers, Failures: u.Failures, Response: u.Latency, P99: u.P99, Advice: u.Advice,
		})
	}
	return b, list
}

// place is where a bus is, as the site file has it.
func place(c config.Bus) string { return c.Port + c.Dial + c.Listen }

// survey asks a bridge how it does.
func (r *relay) survey() status.Bridge {
	s := r.Stats()
	b := status.Bridge{
		ID: r.cfg.ID, URL: append([]string{r.cfg.URL}, r.cfg.Failover...)[s.Way], Connected: s.Connected, Since: s.Since, Way: s.Way,
		Error: s.LastError, ErrorAt: s.LastErrorAt, Connections: s.Conn, Reconnects: s.Reconnects,
		Sent: s.Sent, Delivered: s.Delivered, Resent: s.Resent, Received: s.Received, InFlight: s.InFlight, RTT: s.RTT,
		BudgetUsed: s.BudgetUsed, Budget: s.Budget,
	}
	for i, l := range s.Lanes {
		lane := status.Lane{
			Name: string(l.Name), Messages: l.Backlog, Bytes: l.BacklogBytes, MaxBytes: l.MaxBytes, Oldest: l.OldestAt,
			Appended: l.Appended, Delivered: l.Delivered, Overflow: l.Overflow, Expired: l.Expired, Damage: l.Damage,
			Dead: l.Dead, Refused: l.Refused,
		}
		if l.Failed != nil {
			lane.Error = l.Failed.Error()
		}
		if !l.OldestAt.IsZero() && (b.Oldest.IsZero() || l.OldestAt.Before(b.Oldest)) {
			b.Oldest = l.OldestAt
		}
		if i == 0 || l.Room < b.Room {
			b.Room = l.Room
		}
		b.Lanes = append(b.Lanes, lane)
	}
	return b
}

func (g *Gateway) surveyBroker() status.Broker {
	s := g.broker.Stats()
	b := status.Broker{
		Clients: s.Clients, Retained: s.Retained, Queued: s.Queued, Received: s.Received, Sent: s.Sent, Dropped: s.Dropped,
		Refused: s.Refused, Turned: map[string]uint64{}, Addresses: []string{},
	}
	for _, a := range g.broker.Addrs() {
		b.Addresses = append(b.Addresses, a.String())
	}
	for why, n := range s.Turned {
		b.Turned[why.String()] = n
	}
	return b
}

// diskOf asks how full a filesystem is; nothing where it does not say.
func diskOf(path string) status.Disk {
	d := status.Disk{Path: path}
	var fs unix.Statfs_t
	if path == "" || unix.Statfs(path, &fs) != nil {
		return d
	}
	d.Free, d.Size = int64(fs.Bavail)*int64(fs.Bsize), int64(fs.Blocks)*int64(fs.Bsize)
	return d
}
