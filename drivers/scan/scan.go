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

// Port is an open line. Do is that of modbus.Client; it needs no memory of units that
// did not answer: requests of one function to one unit ask for the same until the
// unit has answered, so that a late reply harms none.
type Port interface {
	Do(modbus.Request, modbus.Timing) ([]byte, error)
	Framing() modbus.Framing
	// Heard is how many bytes have come since the port was opened, whatever they were.
	Heard() int
	Close() error
}

// Config is what to try.
type Config struct {
	Lines   []modbus.Line // in this order, until units answer; on the network one
	Units   []modbus.UnitID
	Timeout time.Duration // for a reply to begin
	// Window is for how long a unit is listened for before the next is asked. A
	// reply that comes later is heard all the same, and whoever may have sent it is
	// asked once more, and given its Timeout.
	Window time.Duration
	Open   func(modbus.Line) (Port, error)
	Name   Namer // nil: none

	Next  func(Progress) // before each unit
	Found func(Unit)     // as soon as it is known
}

// Progress is how far a scan is.
type Progress struct {
	Line  modbus.Line
	Unit  modbus.UnitID
	Round int           // 0, then 1: those that were silent are asked something else
	Done  float64       // the part of the round that is done
	Left  time.Duration // until the round ends, if nobody answers any more
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
	Units []Unit
	// Unreadable are units that were asked twice and to whose requests something
	// came that was no reply: noise, or two with one number.
	Unreadable []modbus.UnitID
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
		for round := range presence {
			sum += c.exchange(l, c.Timeout) + time.Duration(len(c.Units))*(c.turn(l, round)+c.exchange(l, c.Timeout))
		}
	}
	return sum
}

// Each is how much longer it takes at most for each unit that answers, to find out
// what that is.
func (c Config) Each() time.Duration {
	longest := time.Duration(0)
	for _, l := range c.Lines {
		longest = max(longest, c.exchange(l, c.Timeout))
	}
	requests := len(probes) + maxPages + 1
	if c.Name != nil {
		requests += maxAsked
	}
	return time.Duration(requests) * longest
}

// Sweep is how long it takes to ask all units of a line once, if nobody answers.
func (c Config) Sweep(l modbus.Line) time.Duration {
	return time.Duration(len(c.Units)) * c.turn(l, 0)
}

// turn is the time of a silent unit. It is longer in the second round: a late reply
// that fell into the next request, and was lost, then falls beside it.
func (c Config) turn(l modbus.Line, round int) time.Duration {
	return c.exchange(l, c.window(round))
}

func (c Config) window(round int) time.Duration {
	return min(c.Timeout, c.Window+time.Duration(round)*c.Window/4)
}

// exchange is the longest that one takes. Only a reply can be long, and then it
// began in time.
func (c Config) exchange(l modbus.Line, timeout time.Duration) time.Duration {
	return l.Silence() + l.Chars(8) + timeout
}

// run is a scan under way.
type run struct {
	Config
	ctx   context.Context
	end   time.Time
	round int
	known map[modbus.UnitID]bool // found, or unreadable
	found Result
}

// Run tries line after line until units answer on one, then asks all others there
// something else. It ends with what it knows, and an error, when ctx is cancelled,
// at its bound, or when a port cannot be opened or is gone.
func (c Config) Run(ctx context.Context) (Result, error) {
	r := run{Config: c, ctx: ctx, end: time.Now().Add(c.Bound() - margin/2), known: map[modbus.UnitID]bool{}}
	for r.round = range presence {
		for i, l := range r.Lines {
			if err := r.try(l, r.Lines[i+1:]); err != nil || r.found.AnyUnit {
				return r.found, err
			}
			if len(r.found.Units) > 0 {
				r.Lines = []modbus.Line{l}
				break
			}
		}
	}
	return r.found, nil
}

// try asks all units on one line.
func (r *run) try(l modbus.Line, later []modbus.Line) error {
	port, err := r.Open(l)
	if err != nil {
		return err
	}
	defer port.Close()
	s := session{run: r, port: port, line: l}
	if port.Framing() == modbus.TCP && r.round == 0 {
		if r.found.AnyUnit, err = s.anyUnit(); err != nil {
			return err
		}
	}
	if r.found.AnyUnit {
		return s.visit(direct)
	}
	return s.sweep(later)
}
