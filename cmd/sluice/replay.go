package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
	"sluice/mapping"
)

// runReplay serves a bus that answers as a transcript has it.
func runReplay(ctx context.Context, path, port string, wrong wrongs, t terminal) error {
	f, err := os.Open(path)
	if err != nil {
		return hint(err, "`sluice monitor PORT -record FILE` makes one")
	}
	recorded, err := transcript.Parse(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return hint(fmt.Errorf("%s: %w", path, err), "`sluice monitor PORT -record FILE` makes one")
	}
	known := transcript.NewReplay(recorded)
	if known.Requests() == 0 {
		return hint(fmt.Errorf("%s has no request", path), "record while a master asks")
	}
	b := config.Bus{ID: "replay", Framing: recorded.Framing, Line: recorded.Line}
	if b.Line == (modbus.Line{}) {
		b.Line = modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}
	}
	if b.Framing != modbus.TCP {
		b.Port = "pty"
	}
	s := &simulated{cfg: b, pulled: make(chan struct{}, 1)}
	cfg := sim.Config{Line: b.Line, Framing: b.Framing, Answer: known.Answer, Seed: uint64(time.Now().UnixNano())}
	if wrong.unplug > 0 {
		cfg.OnReply = func(sim.Reply) { s.pull(wrong.unplug) }
	}
	s.bus = sim.New(cfg)
	wrong.LateMin, wrong.LateMax = mapping.DefaultSettings.Timeout, 3*mapping.DefaultSettings.Timeout
	s.bus.SetFaults(wrong.Faults)
	if s.outlet, err = newOutlet(b, port); err != nil {
		return err
	}
	defer s.outlet.close()
	fmt.Fprintf(t.out, "%s (%s) is at %s: %s, as recorded; others are not answered\nCtrl-C stops\n", path, manner(b), s.outlet.place(),
		count(known.Requests(), "request", "requests"))
	err = serveAll(ctx, []*simulated{s}, t)
	s.summary(t)
	for _, e := range known.Unknown() {
		fmt.Fprintf(t.out, "not in the recording, and not answered: %s, %s\n", wireText(b.Framing, e.Bytes), e.Note)
	}
	return err
}

// wireText is a frame as transcripts have it.
func wireText(f modbus.Framing, b []byte) string {
	if f == modbus.ASCII {
		return strconv.QuoteToASCII(string(b))
	}
	return fmt.Sprintf("% x", b)
}
