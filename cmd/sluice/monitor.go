package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/monitor"
	"sluice/drivers/serial"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
)

// stillness is how long nothing comes until a frame is taken to have ended short:
// longer than any adapter holds bytes back. Characters of ASCII may come as slowly
// as a program types them; the standard's second would hold up Ctrl-C.
const (
	stillness      = 40 * time.Millisecond
	asciiStillness = 300 * time.Millisecond
)

func runMonitor(ctx context.Context, args []string, t terminal) error {
	f := flags("monitor")
	var l placeFlags
	l.add(f)
	record := f.String("record", "", "")
	decode := f.Bool("decode", false, "")
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "monitor", t)
	}
	if len(words) != 1 {
		return usage("monitor takes one port", "sluice monitor /dev/ttyUSB0 -decode")
	}
	b, err := l.bus(words[0])
	if err != nil {
		return err
	}
	if b.Port == "" {
		return usage("monitor listens on a serial port, not on the network", "capture there with tcpdump")
	}
	port, err := serial.Open(serial.Config{Port: b.Port, Line: b.Line})
	if err != nil {
		return explainPort(err)
	}
	defer port.Close()
	s := newSession(t, *decode)
	if *record != "" {
		s.record, err = newRecording(*record, transcript.Header{Framing: b.Framing, Line: b.Line, Start: time.Now()})
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(t.out, "listening on %s (%s); nothing is sent; Ctrl-C stops\n", b.Port, manner(b))
	if err := listen(ctx, port, b, s.show); err != nil {
		return hint(errors.Join(err, s.record.close()), "look after the adapter and its cable")
	}
	return errors.Join(s.record.close(), s.end())
}

// listen hands every frame on the port to show until ctx is cancelled. It never
// writes.
func listen(ctx context.Context, port *serial.Port, b config.Bus, show func(monitor.Frame)) error {
	still := max(stillness, b.Line.Chars(12))
	if b.Framing == modbus.ASCII {
		still = asciiStillness
	}
	if err := port.SetReadTimeout(still); err != nil {
		return err
	}
	d := monitor.New(b.Line, b.Framing)
	var buf [512]byte
	for ctx.Err() == nil {
		n, err := port.Read(buf[:])
		if err != nil {
			return err
		}
		frames := d.Add(buf[:n], time.Now())
		if n == 0 {
			frames = d.Silence()
		}
		for _, f := range frames {
			show(f)
		}
	}
	return nil
}

// session is what a monitor has heard so far.
type session struct {
	terminal
	decode                                 bool
	requests, replies, unanswered, damaged int
	units                                  map[byte]bool // that have replied
	record                                 *recording    // nil: none
}

func newSession(t terminal, decode bool) *session {
	return &session{terminal: t, decode: decode, units: map[byte]bool{}}
}

// show writes one line for a frame: when it began, the silence before it, and
// what it says.
func (s *session) show(f monitor.Frame) {
	if f.Unanswered {
		s.unanswered++
	}
	mark := "?"
	switch f.Kind {
	case monitor.Request:
		mark = ">"
		s.requests++
	case monitor.Reply:
		mark = "<"
		s.replies++
		s.units[f.Body[0]] = true
	default:
		s.damaged++
	}
	s.record.add(f)
	text := fmt.Sprintf("% x", f.ADU)
	switch {
	case s.decode && f.Kind == monitor.Damaged:
		text = mark + " " + f.String() + ": " + text
	case s.decode:
		text = mark + " " + f.String()
	}
	if s.decode && f.Unanswered {
		text += " (the request before got no reply)"
	}
	fmt.Fprintf(s.out, "%s %+9d µs  %s\n", f.Start.Format("15:04:05.000000"), f.Gap.Microseconds(), text)
}

// end writes the balance.
func (s *session) end() error {
	units := make([]string, 0, len(s.units))
	for u := range 256 {
		if s.units[byte(u)] {
			units = append(units, fmt.Sprint(u))
		}
	}
	if len(units) == 0 {
		units = []string{"none"}
	}
	fmt.Fprintf(s.out, "%s, %s, %d without a reply, %d damaged; units that replied: %s\n", count(s.requests, "request", "requests"),
		count(s.replies, "reply", "replies"), s.unanswered, s.damaged, strings.Join(units, ", "))
	if s.damaged > 0 && s.requests+s.replies == 0 {
		return hint(errors.New("nothing that came was a frame of this framing"), "try another -baud and -format, or -framing ascii; swap A and B")
	}
	return nil
}
