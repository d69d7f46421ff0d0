// Package scan finds out which units are on a Modbus line or behind an address on
// the network, at which speed and format, and what they say they are, by requests
// that change nothing. `sluice scan` shows what it finds. It opens no port itself
// and knows nothing of points.
package scan

import (
	"context"
	"errors"
	"time"

	"sluice/drivers/modbus"
)

// Port is an open line. Exchange is that of modbus.Transport, without any memory
// of units that did not answer: no two probes of one unit have the same function,
// so that a late reply to one is never taken for that to the next.
type Port interface {
	modbus.Transport
	Close() error
}

// Config is what to try.
type Config struct {
	Lines   []modbus.Line // in this order, until units answer; on the network one
	Units   []modbus.UnitID
	Timeout time.Duration // for a reply to begin
	Open    func(modbus.Line) (Port, error)
	Name    Namer // nil: none

	Next  func(line modbus.Line, unit int) // before each unit, by its index
	Found func(Unit)                       // as soon as it is known
}

// Unit is one that answered.
type Unit struct {
	ID       modbus.UnitID
	Line     modbus.Line
	Answers  []Answer // to the probes
	Identity Identity
	Names    []string // by Config.Name
}

// Result is how a scan ended.
type Result struct {
	Units      []Unit
	Unreadable int // probes to which something came that was no reply
	// AnyUnit tells that a device on the network answers whatever the unit: it is
	// listed once, as unit 255.
	AnyUnit bool
}

// ErrBound ends a scan that took longer than its bound: the line is never silent.
var ErrBound = errors.New("took longer than it may")

// margin is for the exchange under way, and for replies that begin at the last
// moment.
const margin = 2 * time.Second

// Bound is the longest that Run takes, but for Each.
func (c Config) Bound() time.Duration {
	sum := margin
	for _, l := range c.Lines {
		sum += time.Duration(1+len(c.Units)*len(probes)) * c.exchange(l)
	}
	return sum
}

// Each is how much longer it takes at most for each unit that answers, to find out
// what that is.
func (c Config) Each() time.Duration {
	longest := time.Duration(0)
	for _, l := range c.Lines {
		longest = max(longest, c.exchange(l))
	}
	if c.Name == nil {
		return (maxPages + 1) * longest
	}
	return (maxPages + 1 + maxAsked) * longest
}

// exchange is the longest that one takes. Only a reply can be long, and then it
// began in time.
func (c Config) exchange(l modbus.Line) time.Duration {
	return l.Silence() + l.Chars(8) + c.Timeout
}

// run is a scan under way.
type run struct {
	Config
	ctx   context.Context
	end   time.Time
	found Result
}

// Run tries line after line until units answer on one, and asks all units there.
// It ends with what it knows, and an error, when ctx is cancelled, at its bound,
// or when a port cannot be opened or is gone.
func (c Config) Run(ctx context.Context) (Result, error) {
	r := run{Config: c, ctx: ctx, end: time.Now().Add(c.Bound() - margin/2)}
	for _, l := range c.Lines {
		if err := r.try(l); err != nil || len(r.found.Units) > 0 {
			return r.found, err
		}
	}
	return r.found, nil
}

// try asks all units on one line.
func (r *run) try(l modbus.Line) error {
	port, err := r.Open(l)
	if err != nil {
		return err
	}
	defer port.Close()
	s := session{run: r, client: modbus.NewClient(port), line: l}
	if port.Framing() == modbus.TCP {
		if r.found.AnyUnit, err = s.anyUnit(); err != nil {
			return err
		}
	}
	if r.found.AnyUnit {
		return s.visit(direct)
	}
	for i, id := range r.Units {
		r.Next(l, i)
		if err := s.visit(id); err != nil {
			return err
		}
	}
	return nil
}
