package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/scan"
	"sluice/gateway/config"
	"sluice/mapping"
)

// search is a scan that is shown to a person.
type search struct {
	terminal
	bus   config.Bus // without its line
	cfg   scan.Config
	draws bool // out is a screen
	found int
	last  scan.Progress
}

func (s *search) run(ctx context.Context) error {
	s.cfg.Next, s.cfg.Found = s.next, s.show
	ways := ""
	if s.bus.Dial == "" {
		ways = " for " + count(len(s.cfg.Lines), "speed and format", "speeds and formats")
	}
	fmt.Fprintf(s.out, "asking %s%s on %s, %v each if nobody answers; nothing is changed\n",
		count(len(s.cfg.Units), "unit", "units"), ways, place(s.bus), s.cfg.Sweep(s.cfg.Lines[0]).Round(100*time.Millisecond))
	r, err := s.cfg.Run(ctx)
	s.clear()
	if r.AnyUnit {
		fmt.Fprintln(s.out, "it answers for a unit that cannot be there: a device that does not look at the unit, or one without others behind it")
	}
	for _, id := range r.Unreadable {
		fmt.Fprintf(s.out, "unit %d: something came, twice, that is no reply: two devices with this number, or noise\n", id)
	}
	if len(r.Units) > 0 {
		fmt.Fprintf(s.out, "\nfor the site file:\n\n%s", siteLines(s.bus, r.Units))
	}
	return s.verdict(r, err)
}

// verdict is nil if a unit was found.
func (s *search) verdict(r scan.Result, err error) error {
	switch {
	case errors.Is(err, scan.ErrBound):
		return hint(fmt.Errorf("the line is never silent: %w", err), "another master is on it: `sluice monitor %s -decode`; or bias resistors are missing", s.bus.Port)
	case err != nil:
		return err
	case len(r.Units) > 0:
		return nil
	case len(r.Unreadable) > 0 && s.bus.Dial == "":
		return hint(errors.New("something came, but no reply"), "another speed, format or framing: -bauds 4800,38400,115200 -formats 8O1,8N2; or another master")
	case len(r.Unreadable) > 0:
		return hint(errors.New("something came, but no reply"), "a converter has another framing: -framing rtu or ascii; or another speed is set in it")
	case s.bus.Dial != "":
		return hint(errors.New("connected, but nobody answers"), "an RS-485 converter needs -framing rtu; a gateway other units; slow devices -timeout 3s")
	default:
		return hint(errors.New("nobody answers"), "swap A and B; check supply and termination; slow devices need -timeout 1s")
	}
}

// next draws how far the scan is, or says that something else is tried.
func (s *search) next(p scan.Progress) {
	switch {
	case s.draws:
		const width = 30
		full := int(width * p.Done)
		fmt.Fprintf(s.out, "\r\x1b[K[%s%s] unit %d at %s, %d found, %v left", strings.Repeat("#", full), strings.Repeat(".", width-full),
			p.Unit, s.at(p.Line), s.found, p.Left.Round(time.Second))
	case s.last.Line == p.Line && s.last.Round == p.Round, s.bus.Dial != "" && p.Round == 0:
	case p.Round > 0:
		fmt.Fprintf(s.out, "at %v: those that are silent, for input registers\n", s.at(p.Line))
	default:
		fmt.Fprintf(s.out, "at %v\n", p.Line)
	}
	s.last = p
}

// at is a line, or the address that stands for it.
func (s *search) at(l modbus.Line) string {
	if s.bus.Dial != "" {
		return s.bus.Dial
	}
	return l.String()
}

func (s *search) show(u scan.Unit) {
	s.clear()
	s.found++
	fmt.Fprintf(s.out, "unit %d at %s: %s\n", u.ID, s.at(u.Line), names(u.Answers, scan.Answer.String))
	if identity := u.Identity.String(); identity != "" {
		fmt.Fprintf(s.out, "  says it is %s\n", identity)
	}
	if len(u.Names) > 0 {
		fmt.Fprintf(s.out, "  likely template: %s\n", strings.Join(u.Names, ", or "))
	}
}

// clear removes the drawn line.
func (s *search) clear() {
	if s.draws {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// namer finds the likely templates of a unit among those built in and those in a
// folder templates where the command runs.
func namer() scan.Namer {
	library := config.OpenLibrary("")
	var templates []mapping.Template
	for _, name := range library.Names() {
		if n, ok := library.Template(name); ok && n.Present() {
			if t := mapping.ReadTemplate(n, name); len(t.Probe) > 0 {
				templates = append(templates, t)
			}
		}
	}
	return func(u scan.Unit, ask scan.Ask) []string {
		var likely []string
		for _, l := range mapping.Recognize(templates, u.ID, u.Identity.String(), ask) {
			likely = append(likely, l.Template)
		}
		return likely
	}
}

// siteLines are the parts of a site file with what was found: a bus, and devices
// with their likely template, or with one register to begin with.
func siteLines(bus config.Bus, units []scan.Unit) string {
	var b strings.Builder
	id := "rs485"
	if bus.Dial != "" {
		id = "network"
	}
	bus.Line = units[0].Line
	fmt.Fprintf(&b, "buses:\n  - {id: %s, %s}\ndevices:\n", id, busKeys(bus))
	for _, u := range units {
		fmt.Fprintf(&b, "  - id: unit-%d\n    bus: %s\n    unit: %d\n", u.ID, id, u.ID)
		if len(u.Names) > 0 {
			fmt.Fprintf(&b, "    template: %s   # likely; compare a few values with its display\n", u.Names[0])
			continue
		}
		register := "holding 0x0000"
		for _, a := range u.Answers {
			if a.Function == modbus.ReadInputRegisters && a.Exception == 0 {
				register = "input 0x0000"
			}
		}
		fmt.Fprintf(&b, "    points:\n      - {id: first, register: %s}   # points of its manual, or a template: sluice templates list\n", register)
	}
	return b.String()
}

// busKeys are the keys of a bus in a site file that say where it is.
func busKeys(b config.Bus) string {
	if b.Dial != "" {
		return fmt.Sprintf("tcp: %q, framing: %v", b.Dial, b.Framing)
	}
	keys := fmt.Sprintf("port: %s, baud: %d, format: %d%c%d", b.Port, b.Line.Baud, b.Line.DataBits, b.Line.Parity, b.Line.StopBits)
	if b.Framing == modbus.ASCII {
		keys += ", framing: ascii"
	}
	return keys
}
