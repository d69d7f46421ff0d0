// Package scan finds out which units are on a Modbus line, and at which speed and
// parity, by requests that change nothing. `sluice scan` shows what it finds. It
// opens no port itself and knows nothing of points.
package scan

import (
	"context"
	"errors"
	"fmt"
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
	Lines   []modbus.Line // in this order, until units answer
	Units   []modbus.UnitID
	Timeout time.Duration // for a reply to begin
	Open    func(modbus.Line) (Port, error)

	Next  func(line modbus.Line, unit int) // before each unit, by its index
	Found func(Unit)                       // as soon as it is known
}

// Unit is one that answered.
type Unit struct {
	ID      modbus.UnitID
	Line    modbus.Line
	Answers []Answer
}

// Answer is what a unit said to one probe.
type Answer struct {
	Function  modbus.Function
	Exception byte   // 0: it did what was asked
	Data      []byte // what the request asked for, without count
}

// Result is how a scan ended.
type Result struct {
	Units      []Unit
	Unreadable int // probes to which something came that was no reply
}

// ErrBound ends a scan that took longer than its bound: the line is never silent.
var ErrBound = errors.New("took longer than it may")

// margin is for the exchange under way, and for replies that begin at the last
// moment.
const margin = 2 * time.Second

// probes are the requests to each unit, from the function code on: repeat a
// number, read the first holding register, read the first input register.
var probes = [...]struct {
	pdu  [5]byte
	data int // where that of the reply begins
}{
	{[5]byte{byte(modbus.Diagnostics), 0, 0, 0xA5, 0x37}, 4},
	{[5]byte{byte(modbus.ReadHoldingRegisters), 0, 0, 0, 1}, 3},
	{[5]byte{byte(modbus.ReadInputRegisters), 0, 0, 0, 1}, 3},
}

// Bound is the longest that Run takes.
func (c Config) Bound() time.Duration {
	var sum time.Duration
	for _, l := range c.Lines {
		each := l.Silence() + l.Chars(8) + c.Timeout
		sum += time.Duration(len(c.Units)*len(probes)) * each
	}
	return sum + margin
}

// Run tries line after line until units answer on one, and asks all units there.
// It ends with what it knows, and an error, when ctx is cancelled, at its bound,
// or when a port cannot be opened or is gone.
func (c Config) Run(ctx context.Context) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Bound()-margin/2, ErrBound)
	defer cancel()
	var r Result
	for _, l := range c.Lines {
		if err := c.try(ctx, l, &r); err != nil || len(r.Units) > 0 {
			return r, err
		}
	}
	return r, nil
}

func (c Config) try(ctx context.Context, l modbus.Line, r *Result) error {
	port, err := c.Open(l)
	if err != nil {
		return err
	}
	defer port.Close()
	for i, id := range c.Units {
		c.Next(l, i)
		u := Unit{ID: id, Line: l}
		for p := range probes {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			a, err := c.probe(port, id, p)
			switch modbus.FaultOf(err) {
			case modbus.None:
				u.Answers = append(u.Answers, a)
			case modbus.Frame:
				r.Unreadable++
			case modbus.Medium:
				return err
			}
		}
		if len(u.Answers) > 0 {
			r.Units = append(r.Units, u)
			c.Found(u)
		}
	}
	return nil
}

// probe sends one probe; a fault of None means that the unit answered.
func (c Config) probe(port Port, id modbus.UnitID, p int) (Answer, error) {
	adu := modbus.AppendCRC(append([]byte{byte(id)}, probes[p].pdu[:]...))
	reply, err := port.Exchange(adu, modbus.Timing{Timeout: c.Timeout})
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Function: modbus.Function(adu[1])}
	switch {
	case len(reply) == 5: // the shape of an exception, and of no good reply to a probe
		a.Exception = reply[2]
	default:
		a.Data = reply[probes[p].data : len(reply)-2]
	}
	return a, nil
}

// String says what the answer tells of a unit.
func (a Answer) String() string {
	switch {
	case a.Exception != 0:
		return fmt.Sprintf("%v: exception %d (%s)", a.Function, a.Exception, modbus.ExceptionName(a.Exception))
	case a.Function == modbus.Diagnostics:
		return fmt.Sprintf("%v: echo", a.Function)
	default:
		return fmt.Sprintf("%v: 0x0000 = %x", a.Function, a.Data)
	}
}
