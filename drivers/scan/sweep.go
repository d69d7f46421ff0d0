package scan

import (
	"slices"
	"time"

	"sluice/drivers/modbus"
)

// sweep asks all units of a line that are not known yet, one after the other and
// with little time for each.
func (s *session) sweep(later []modbus.Line) error {
	ids := slices.DeleteFunc(slices.Clone(s.Units), func(id modbus.UnitID) bool { return s.known[id] })
	var recent asked
	for i, id := range ids {
		s.Next(s.progress(ids, i, later))
		recent = recent.since(time.Now().Add(-s.Timeout))
		window := s.window(s.round)
		if i == len(ids)-1 { // nobody comes behind it to hear what is late
			window = s.Timeout
		}
		before := s.port.Heard()
		_, got, err := s.ask(id, presence[s.round], window)
		if err != nil {
			return err
		}
		recent = append(recent, request{id, time.Now()})
		switch {
		case got == present:
			err = s.visit(id)
		case got != absent && s.port.Heard() != before:
			err = s.askAgain(recent)
			recent = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request is one that was not answered in its window.
type request struct {
	unit modbus.UnitID
	end  time.Time // of the window
}

// asked are the requests whose replies may still come.
type asked []request

func (a asked) since(t time.Time) asked {
	return slices.DeleteFunc(a, func(r request) bool { return r.end.Before(t) })
}

// askAgain asks those that something may have come from, and gives them their time.
func (s *session) askAgain(suspects asked) error {
	for _, r := range suspects {
		if s.known[r.unit] {
			continue
		}
		_, got, err := s.ask(r.unit, presence[s.round], s.Timeout)
		switch {
		case err != nil:
		case got == present:
			err = s.visit(r.unit)
		case got == garbled:
			s.known[r.unit] = true
			s.found.Unreadable = append(s.found.Unreadable, r.unit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// progress is that before the unit with that index.
func (s *session) progress(ids []modbus.UnitID, i int, later []modbus.Line) Progress {
	p := Progress{Line: s.line, Unit: ids[i], Round: s.round}
	p.Left = time.Duration(len(ids)-i) * s.turn(s.line, s.round)
	for _, l := range later {
		p.Left += time.Duration(len(ids)) * s.turn(l, s.round)
	}
	lines := float64(len(s.Lines))
	p.Done = (lines - float64(1+len(later)) + float64(i)/float64(len(ids))) / lines
	return p
}
