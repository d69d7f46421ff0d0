package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/scan"
	"sluice/gateway"
	"sluice/gateway/config"
)

// scanWindow is for how long a unit on a serial line is listened for before the next is
// asked: most answer within 50 ms, and the others are heard later.
const scanWindow = 50 * time.Millisecond

// maxLines bounds the speeds and formats that one scan tries.
const maxLines = 64

// scanFlags say what to look for.
type scanFlags struct {
	placeFlags
	units, bauds, formats string
	timeout               time.Duration
	trace                 string
	reach                 reach
}

func runScan(ctx context.Context, args []string, t terminal) error {
	var s scanFlags
	f := flags("scan")
	f.StringVar(&s.units, "units", "1-247", "")
	f.StringVar(&s.bauds, "bauds", "", "")
	f.StringVar(&s.formats, "formats", "", "")
	f.StringVar(&s.framing, "framing", "", "")
	f.DurationVar(&s.timeout, "timeout", 0, "")
	f.StringVar(&s.trace, "trace", "", "")
	s.addEcho(f)
	s.reach.add(f)
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "scan", t)
	}
	if len(words) != 1 {
		return usage("scan takes one port", "sluice scan /dev/ttyUSB0 -units 1-32, or sluice scan tcp://192.0.2.40")
	}
	b, cfg, err := s.config(words[0])
	if err != nil {
		return err
	}
	if line, err := s.reach.lend(ctx, b, t); err != nil {
		return err
	} else if line != nil {
		return s.through(ctx, line, b, cfg, t)
	}
	traced := b
	if traced.Line = cfg.Lines[0]; len(cfg.Lines) > 1 {
		traced.Line = modbus.Line{}
	}
	trace, err := startTrace(traced, s.trace, t)
	if err != nil {
		return err
	}
	defer trace.end()
	cfg.Open = func(l modbus.Line) (scan.Port, error) {
		b.Line = l
		return openProber(ctx, b, trace)
	}
	show := &search{terminal: t, bus: b, cfg: cfg, draws: t.isScreen()}
	return show.run(ctx)
}

// config is what the flags say of a place; the line of the bus is not known yet.
func (s *scanFlags) config(place string) (config.Bus, scan.Config, error) {
	s.baud, s.format = 9600, "8N1" // what stands for a line on the network
	b, err := s.bus(place)
	if err != nil {
		return b, scan.Config{}, err
	}
	cfg := scan.Config{Timeout: s.timeout, Window: scanWindow, Lines: []modbus.Line{b.Line}, Name: namer()}
	switch {
	case s.timeout == 0 && b.Dial != "":
		cfg.Timeout = time.Second
	case s.timeout == 0:
		cfg.Timeout = 200 * time.Millisecond
	case s.timeout < 10*time.Millisecond || s.timeout > 5*time.Second:
		return b, cfg, usage("-timeout: %v is not possible", "write 10ms to 5s", s.timeout)
	}
	if b.Dial != "" { // where what is late comes from anybody, or is dropped on the way
		cfg.Window = cfg.Timeout
	}
	if cfg.Units, err = parseUnits(s.units, b.Framing); err != nil {
		return b, cfg, err
	}
	switch {
	case b.Dial == "":
		cfg.Lines, err = s.lines(b.Framing)
	case s.bauds != "" || s.formats != "":
		err = usage("%s is on the network, where -bauds and -formats mean nothing", "leave them out; the converter has settings of its own", place)
	}
	return b, cfg, err
}

// through scans a line of the running gateway, in turn with its polls and at the speed
// that it has. A reply that is late goes unheard, so that every unit gets its time.
func (s *scanFlags) through(ctx context.Context, line *lent, b config.Bus, cfg scan.Config, t terminal) error {
	defer line.Close()
	if s.trace != "" {
		return usage("-trace: bus %s belongs to the running gateway", "let it trace: sluice trace "+line.bus.ID, line.bus.ID)
	}
	if s.bauds != "" || s.formats != "" {
		return usage("bus %s belongs to the running gateway, which cannot change its speed", "leave out -bauds and -formats, or stop the gateway", line.bus.ID)
	}
	line.inTurn = true
	cfg.Window = cfg.Timeout
	if has, ok := line.line(); ok {
		cfg.Lines = []modbus.Line{has}
	}
	cfg.Open = func(modbus.Line) (scan.Port, error) { return line, nil }
	return (&search{terminal: t, bus: b, cfg: cfg, draws: t.isScreen()}).run(ctx)
}

// prober is a port that forgets which units did not answer, and counts what comes.
type prober struct {
	bus.Transport
	client *modbus.Client
	doubts *modbus.Doubts
	trace  *tracing // nil: none
	echo   bool
	heard  int
}

func openProber(ctx context.Context, b config.Bus, trace *tracing) (scan.Port, error) {
	p := &prober{doubts: new(modbus.Doubts), trace: trace, echo: b.Echo}
	if trace != nil && b.Dial == "" {
		trace.Switch(b.Line, time.Now())
	}
	var err error
	if p.Transport, err = gateway.OpenBus(ctx, b, p.doubts, p); err != nil {
		return nil, explainPort(err)
	}
	p.client = modbus.NewClient(p.Transport)
	return p, nil
}

// Do implements scan.Port.
func (p *prober) Do(req modbus.Request, t modbus.Timing) ([]byte, error) {
	*p.doubts = modbus.Doubts{}
	return p.client.Do(req, t)
}

// Heard implements scan.Port. What an adapter echoes is nobody's.
func (p *prober) Heard() int { return p.heard }

// Sent implements gateway.Tracer.
func (p *prober) Sent(b []byte, now time.Time) {
	if p.echo {
		p.heard -= len(b)
	}
	if p.trace != nil {
		p.trace.Sent(b, now)
	}
}

// Received implements gateway.Tracer.
func (p *prober) Received(b []byte, now time.Time) {
	p.heard += len(b)
	if p.trace != nil {
		p.trace.Received(b, now)
	}
}

// Event implements gateway.Tracer.
func (p *prober) Event(note string, now time.Time) {
	if p.trace != nil {
		p.trace.Event(note, now)
	}
}

// parseUnits reads "1-247" or "1,3,10-20".
func parseUnits(text string, f modbus.Framing) ([]modbus.UnitID, error) {
	var units []modbus.UnitID
	least, most := unitRange(f)
	for _, part := range strings.Split(text, ",") {
		first, last, ok := strings.Cut(part, "-")
		if !ok {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 8)
		to, err2 := strconv.ParseUint(last, 10, 8)
		if err := errors.Join(err1, err2); err != nil || uint(from) < least || uint(to) > most || from > to || len(units)+int(to-from) > int(most-least) {
			return nil, usage("-units: %q are no unit numbers", fmt.Sprintf("write %d-%d, or 1,3,10-20", least, most), text)
		}
		for u := from; u <= to; u++ {
			units = append(units, modbus.UnitID(u))
		}
	}
	return units, nil
}

// lines combines speeds and formats, the first of each first.
func (s *scanFlags) lines(f modbus.Framing) ([]modbus.Line, error) {
	usual := "8N1,8E1"
	if f == modbus.ASCII {
		usual = "7E1,8N1"
	}
	var lines []modbus.Line
	for _, baud := range strings.Split(cmp.Or(s.bauds, "9600,19200"), ",") {
		speed, err := strconv.Atoi(baud)
		if err != nil {
			return nil, usage("-bauds: %q is no speed", "write 9600,19200", baud)
		}
		for _, format := range strings.Split(cmp.Or(s.formats, usual), ",") {
			line, err := (&placeFlags{baud: speed, format: format}).line(f)
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
