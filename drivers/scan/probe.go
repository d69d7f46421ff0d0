package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/drivers/modbus"
)

// probes are what every unit is asked: to repeat a number, for its first holding
// register, for its first input register.
var probes = [...]modbus.Request{
	{Function: modbus.Diagnostics, Data: []byte{0xA5, 0x37}},
	{Function: modbus.ReadHoldingRegisters, Count: 1},
	{Function: modbus.ReadInputRegisters, Count: 1},
}

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
	client *modbus.Client
	line   modbus.Line
}

// visit finds out whether a unit is there and, if so, what it is.
func (s *session) visit(id modbus.UnitID) error {
	u := Unit{ID: id, Line: s.line}
	for _, p := range probes {
		data, err := s.do(id, p)
		a, answered := answerOf(p.Function, data, err)
		switch fault := modbus.FaultOf(err); {
		case answered:
			u.Answers = append(u.Answers, a)
		case fault == modbus.Frame:
			s.found.Unreadable++
		case fault != modbus.Silent:
			return err // cancelled, or the port is gone
		}
	}
	if len(u.Answers) == 0 {
		return nil
	}
	s.end = s.end.Add(s.Each())
	err := s.identify(&u)
	s.found.Units = append(s.found.Units, u)
	s.Found(u)
	return err
}

// do asks a unit, unless the scan is over.
func (s *session) do(id modbus.UnitID, req modbus.Request) ([]byte, error) {
	switch {
	case s.ctx.Err() != nil:
		return nil, context.Cause(s.ctx)
	case !time.Now().Before(s.end):
		return nil, ErrBound
	}
	req.Unit = id
	return s.client.Do(req, modbus.Timing{Timeout: s.Timeout})
}

// answerOf tells an answer from none. An exception is one, unless a gateway says by
// it that nobody is there.
func answerOf(f modbus.Function, data []byte, err error) (Answer, bool) {
	if err == nil {
		return Answer{Function: f, Data: data}, true
	}
	e, ok := errors.AsType[*modbus.Error](err)
	if !ok || e.Exception == 0 || e.Fault == modbus.Silent {
		return Answer{}, false
	}
	return Answer{Function: f, Exception: e.Exception}, true
}

// anyUnit reports whether somebody answers for a unit that cannot be there.
func (s *session) anyUnit() (bool, error) {
	p := probes[1]
	data, err := s.do(nobody, p)
	_, answered := answerOf(p.Function, data, err)
	switch modbus.FaultOf(err) {
	case modbus.Silent, modbus.Frame:
		return false, nil
	}
	if answered {
		return true, nil
	}
	return false, err
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
