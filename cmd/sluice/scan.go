package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/scan"
	"sluice/drivers/serial"
	"sluice/gateway/config"
)

// maxLines bounds the speeds and formats that one scan tries.
const maxLines = 64

func runScan(ctx context.Context, args []string, t terminal) error {
	f := flags("scan")
	units := f.String("units", "1-247", "")
	bauds := f.String("bauds", "9600,19200", "")
	formats := f.String("formats", "8N1,8E1", "")
	timeout := f.Duration("timeout", 200*time.Millisecond, "")
	echo := f.Bool("echo", false, "")
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "scan", t)
	}
	if len(words) != 1 {
		return usage("scan takes one port", "sluice scan /dev/ttyUSB0 -units 1-32")
	}
	if *timeout < 10*time.Millisecond || *timeout > 5*time.Second {
		return usage("-timeout: %v is not possible", "write 10ms to 5s", *timeout)
	}
	cfg := scan.Config{Timeout: *timeout}
	if cfg.Units, err = parseUnits(*units); err != nil {
		return err
	}
	if cfg.Lines, err = parseLines(*bauds, *formats); err != nil {
		return err
	}
	cfg.Open = func(l modbus.Line) (scan.Port, error) {
		return openProber(config.Bus{Port: words[0], Line: l, Echo: *echo})
	}
	s := &search{terminal: t, port: words[0], cfg: cfg, start: time.Now(), draws: t.isScreen()}
	return s.run(ctx)
}

// prober is a port that forgets which units did not answer.
type prober struct {
	*rtu.Transport
	doubts *modbus.Doubts
}

func openProber(b config.Bus) (scan.Port, error) {
	port, err := serial.Open(serial.Config{Port: b.Port, Line: b.Line})
	if err != nil {
		return nil, explainPort(err)
	}
	doubts := new(modbus.Doubts)
	return prober{rtu.New(port, rtu.Config{Line: b.Line, Echo: b.Echo, Virtual: port.Virtual(), Doubts: doubts}), doubts}, nil
}

// Exchange implements scan.Port.
func (p prober) Exchange(adu []byte, t modbus.Timing) ([]byte, error) {
	*p.doubts = modbus.Doubts{}
	return p.Transport.Exchange(adu, t)
}

// search is a scan that is shown to a person.
type search struct {
	terminal
	port  string
	cfg   scan.Config
	start time.Time
	draws bool // out is a screen
	done  int  // units asked, on all lines
	found int
	line  modbus.Line
}

func (s *search) run(ctx context.Context) error {
	s.cfg.Next, s.cfg.Found = s.next, s.show
	fmt.Fprintf(s.out, "asking %s for %s on %s: at most %v; nothing is changed\n", count(len(s.cfg.Units), "unit", "units"),
		count(len(s.cfg.Lines), "speed and format", "speeds and formats"), s.port, s.cfg.Bound().Round(time.Second))
	r, err := s.cfg.Run(ctx)
	s.clear()
	if len(r.Units) > 0 {
		fmt.Fprintf(s.out, "\nfor the site file:\n\n%s", siteLines(s.port, r.Units))
	}
	switch {
	case errors.Is(err, scan.ErrBound):
		return hint(fmt.Errorf("the line is never silent: %w", err), "another master is on it: `sluice monitor %s -decode`; or bias resistors are missing", s.port)
	case err != nil:
		return err
	case len(r.Units) == 0 && r.Unreadable > 0:
		return hint(fmt.Errorf("something came %d times, but no reply", r.Unreadable), "another speed or format: -bauds 4800,38400,115200 -formats 8O1,8N2; or another master")
	case len(r.Units) == 0:
		return hint(errors.New("nobody answers"), "swap A and B; check supply and termination; slow devices need -timeout 1s")
	}
	return nil
}

// next draws how far the scan is, or says that another line is tried.
func (s *search) next(l modbus.Line, unit int) {
	if s.draws {
		const width = 30
		total := len(s.cfg.Units) * len(s.cfg.Lines)
		full := width * s.done / total
		fmt.Fprintf(s.out, "\r\x1b[K[%s%s] unit %d at %v, %d found, at most %v left", strings.Repeat("#", full), strings.Repeat(".", width-full),
			s.cfg.Units[unit], l, s.found, (s.cfg.Bound() - time.Since(s.start)).Round(time.Second))
	} else if l != s.line {
		fmt.Fprintf(s.out, "at %v\n", l)
	}
	s.line = l
	s.done++
}

func (s *search) show(u scan.Unit) {
	s.clear()
	s.found++
	answers := names(u.Answers, func(a scan.Answer) string { return a.String() })
	fmt.Fprintf(s.out, "unit %d at %v: %s\n", u.ID, u.Line, answers)
}

// clear removes the drawn line.
func (s *search) clear() {
	if s.draws {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// siteLines are the parts of a site file with what was found: a bus, and devices
// with one register to begin with.
func siteLines(port string, units []scan.Unit) string {
	var b strings.Builder
	l := units[0].Line
	fmt.Fprintf(&b, "buses:\n  - {id: rs485, port: %s, baud: %d, format: 8%c%d}\ndevices:\n", port, l.Baud, l.Parity, l.StopBits)
	for _, u := range units {
		register := "holding 0x0000"
		for _, a := range u.Answers {
			if a.Function == modbus.ReadInputRegisters && a.Exception == 0 {
				register = "input 0x0000"
			}
		}
		fmt.Fprintf(&b, "  - id: unit-%d\n    bus: rs485\n    unit: %d\n    points:\n      - {id: first, register: %s}   # take points from its manual\n", u.ID, u.ID, register)
	}
	return b.String()
}

// parseUnits reads "1-247" or "1,3,10-20".
func parseUnits(text string) ([]modbus.UnitID, error) {
	var units []modbus.UnitID
	for _, part := range strings.Split(text, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err := errors.Join(err1, err2); err != nil || from < 1 || to > 247 || from > to || len(units)+to-from >= 247 {
			return nil, usage("-units: %q are no unit numbers", "write 1-247, or 1,3,10-20", text)
		}
		for u := from; u <= to; u++ {
			units = append(units, modbus.UnitID(u))
		}
	}
	return units, nil
}

// parseLines combines speeds and formats, the first of each first.
func parseLines(bauds, formats string) ([]modbus.Line, error) {
	var lines []modbus.Line
	for _, baud := range strings.Split(bauds, ",") {
		speed, err := strconv.Atoi(baud)
		if err != nil {
			return nil, usage("-bauds: %q is no speed", "write 9600,19200", baud)
		}
		for _, format := range strings.Split(formats, ",") {
			line, err := (&lineFlags{speed, format}).parse()
			if err != nil {
				return nil, err
			}
			lines = append(lines, line)
		}
	}
	if len(lines) > maxLines {
		return nil, usage("%d speeds and formats are too many", fmt.Sprintf("try at most %d at once", maxLines), len(lines))
	}
	return lines, nil
}
