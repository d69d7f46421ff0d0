package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/drivers/modbus"
)

// probes are what a unit is asked that is there: to repeat a number, for its first
// holding register, for its first input register.
var probes = [...]modbus.Request{
	{Function: modbus.Diagnostics, Data: []byte{0xA5, 0x37}},
	{Function: modbus.ReadHoldingRegisters, Count: 1},
	{Function: modbus.ReadInputRegisters, Count: 1},
}

// presence are what units are asked to find out whether they are there, one a
// round. Nearly all answer the first, be it with an exception; some that have no
// holding registers leave it unanswered. One that knew of neither kind of register,
// and repeated numbers, would be no use.
var presence = [...]modbus.Request{probes[1], probes[2]}

// On Modbus TCP a device that has no line behind it may answer whatever the unit.
// That is found out by a number that no unit of a line can have; the usual one for
// such a device is 255 (Modbus Messaging on TCP/IP V1.0b, 4.4.2.2).
const (
	nobody modbus.UnitID = 250
	direct modbus.UnitID = 255
)

// Answer is what a unit said to one probe.
type Answer struct {
	Function  modbus.Function
	Exception byte   // 0: it did what was asked
	Data      []byte // what the request asked for, without count
}

// session is an open line.
type session struct {
	*run
	port Port
	line modbus.Line
}

// sign is what a request tells of whether a unit is there.
type sign uint8

const (
	silence sign = iota // nothing that was its reply has come in time
	garbled             // what came was no reply
	absent              // a gateway says that nobody is there
	present
)

// visit finds out what a unit is, if it answers.
func (s *session) visit(id modbus.UnitID) error {
	u := Unit{ID: id, Line: s.line}
	s.end = s.end.Add(s.Each())
	for _, p := range probes {
		a, got, err := s.ask(id, p, s.Timeout)
		if err != nil {
			return err
		}
		if got == present {
			u.Answers = append(u.Answers, a)
		}
	}
	if len(u.Answers) == 0 {
		return nil
	}
	err := s.identify(&u)
	s.known[id] = true
	s.found.Units = append(s.found.Units, u)
	s.Found(u)
	return err
}

// ask asks a unit for a sign that it is there. An error ends the scan.
func (s *session) ask(id modbus.UnitID, p modbus.Request, timeout time.Duration) (Answer, sign, error) {
	data, err := s.do(id, p, timeout)
	a := Answer{Function: p.Function, Data: data}
	if e, ok := errors.AsType[*modbus.Error](err); ok {
		a.Exception = e.Exception
	}
	switch fault := modbus.FaultOf(err); {
	case fault == modbus.Silent && a.Exception != 0:
		return a, absent, nil
	case err == nil, a.Exception != 0:
		return a, present, nil
	case fault == modbus.Silent:
		return a, silence, nil
	case fault == modbus.Frame:
		return a, garbled, nil
	default:
		return a, silence, err
	}
}

// do asks a unit, unless the scan is over.
func (s *session) do(id modbus.UnitID, req modbus.Request, timeout time.Duration) ([]byte, error) {
	switch {
	case s.ctx.Err() != nil:
		return nil, context.Cause(s.ctx)
	case !time.Now().Before(s.end):
		return nil, ErrBound
	}
	req.Unit = id
	return s.port.Do(req, modbus.Timing{Timeout: timeout})
}

// anyUnit reports whether somebody answers for a unit that cannot be there.
func (s *session) anyUnit() (bool, error) {
	_, got, err := s.ask(nobody, presence[0], s.Timeout)
	return got == present, err
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
