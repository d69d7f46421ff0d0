package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/rtu"
	"sluice/drivers/scan"
	"sluice/drivers/sim"
	"sluice/gateway/config"
)

func TestScanCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		err  string
	}{
		{"", exitUsage, "hint: sluice scan /dev/ttyUSB0 -units 1-32"},
		{"/dev/a -units 0-3", exitUsage, "hint: write 1-247, or 1,3,10-20"},
		{"/dev/a -units 3-1", exitUsage, "are no unit numbers"},
		{"/dev/a -units 1-247,1", exitUsage, "are no unit numbers"},
		{"/dev/a -units x", exitUsage, "are no unit numbers"},
		{"/dev/a -bauds fast", exitUsage, "-bauds: \"fast\" is no speed"},
		{"/dev/a -bauds 10", exitUsage, "is no speed of a serial line"},
		{"/dev/a -formats 8N1,7N1", exitUsage, "hint: write 8N1"},
		{"/dev/a -timeout 1ms", exitUsage, "hint: write 10ms to 5s"},
		{"/dev/a -bauds " + strings.Repeat("9600,", 40) + "9600", exitUsage, "82 speeds and formats are too many"},
		{"/dev/none -units 1", exitFailed, "no such port"},
		{"/dev/none -units 1 -framing ascii", exitFailed, "no such port"},
		{"/dev/a -framing tcp", exitUsage, "hint: write rtu or ascii; on tcp://host:port also tcp"},
		{"tcp://192.0.2.40 -units 0,255-256", exitUsage, "hint: write 0-255, or 1,3,10-20"},
		{"tcp://192.0.2.40 -framing rtu -units 0", exitUsage, "hint: write 1-247, or 1,3,10-20"},
		{"tcp://192.0.2.40:port", exitUsage, "hint: write tcp://192.0.2.40:502"},
		{"tcp://192.0.2.40/x", exitUsage, "hint: write tcp://192.0.2.40:502"},
		{"tcp://192.0.2.40 -bauds 9600", exitUsage, "is on the network, where -bauds and -formats mean nothing"},
		{"tcp://127.0.0.1:1 -units 1", exitFailed, "hint: check address and port"},
	} {
		if code, _, err := sluice(t, "scan "+tt.args); code != tt.code || !strings.Contains(err, tt.err) {
			t.Errorf("sluice scan %s: exit code %d, %s", tt.args, code, err)
		}
	}
}

// TestScan has a unit that answers all probes, and one that knows only function 4.
func TestScan(t *testing.T) {
	port := serve(t, sim.Config{Units: map[modbus.UnitID]sim.Unit{
		7: {Device: memory()},
		9: {Device: memory(), Ignores: []modbus.Function{modbus.Diagnostics, modbus.ReadHoldingRegisters}},
	}})
	code, out, err := sluice(t, "scan "+port+" -units 6-7,9 -bauds 115200,9600 -formats 8N1 -timeout 500ms")
	if code != exitOK || err != "" {
		t.Errorf("exit code %d, %s", code, err)
	}
	head, lines, _ := strings.Cut(out, "\nfor the site file:\n\n")
	if want := "asking 3 units for 2 speeds and formats on " + port + ", 200ms each if nobody answers; nothing is changed\n" +
		"at 115200 8N1\n" +
		"unit 7 at 115200 8N1: diagnostics: echo, read holding registers: 0x0000 = 05dc, read input registers: 0x0000 = 4366\n" +
		"at 115200 8N1: those that are silent, for input registers\n" +
		"unit 9 at 115200 8N1: read input registers: 0x0000 = 4366\n"; head != want {
		t.Errorf("%s\nwant\n%s", head, want)
	}
	cfg, problems := config.Parse("site.yaml", []byte("version: 1\nsite: plant\n"+lines))
	if problems != nil {
		t.Fatalf("%v\n%s", problems, lines)
	}
	if len(cfg.Devices) != 2 || cfg.Devices[1].Unit != 9 || cfg.Buses[0].Line != fast || cfg.Buses[0].Port != port {
		t.Errorf("%+v", cfg)
	}

	code, _, err = sluice(t, "scan "+port+" -units 1-2 -bauds 115200 -formats 8N1 -timeout 20ms")
	if code != exitFailed || !strings.Contains(err, "sluice: nobody answers\n  hint: swap A and B") {
		t.Errorf("exit code %d, %s", code, err)
	}
}

// TestScanDraws has a progress bar.
func TestScanDraws(t *testing.T) {
	var out strings.Builder
	s := &search{terminal: terminal{out: &out}, draws: true}
	s.next(scan.Progress{Line: fast, Unit: 1, Left: 15 * time.Second})
	s.next(scan.Progress{Line: fast, Unit: 2, Left: 10 * time.Second, Done: 1.0 / 3})
	s.clear()
	if want := "[##########....................] unit 2 at 115200 8N1, 0 found, 10s left"; !strings.Contains(out.String(), want) ||
		!strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("%q", out.String())
	}
}

// TestScanOfALine asks all units of a line that is true to its speed: nobody, some of
// whom one is slower than its turn, and units whose replies fall on the requests to
// the next.
func TestScanOfALine(t *testing.T) {
	at := func(latency time.Duration) sim.Unit { return sim.Unit{Device: memory(), Latency: latency} }
	for _, tt := range []struct {
		name  string
		line  modbus.Line
		units map[modbus.UnitID]sim.Unit
		want  string
		round time.Duration // the longest that the first may take
	}{
		{"nobody", modbus.Line{Baud: 9600, DataBits: 8, Parity: modbus.NoParity, StopBits: 1}, nil, "[]", 14600 * time.Millisecond},
		{"nobody", fast, nil, "[]", 12700 * time.Millisecond},
		{"one", fast, map[modbus.UnitID]sim.Unit{1: at(5 * time.Millisecond)}, "[1]", 12700 * time.Millisecond},
		{"some", fast, map[modbus.UnitID]sim.Unit{1: at(5 * time.Millisecond), 17: at(130 * time.Millisecond), 247: at(190 * time.Millisecond)}, "[1 17 247]", 15 * time.Second},
		{"late in a row", fast, map[modbus.UnitID]sim.Unit{7: at(80 * time.Millisecond), 8: at(100 * time.Millisecond), 9: at(60 * time.Millisecond)}, "[7 8 9]", 16 * time.Second},
		{"on the next request", fast, map[modbus.UnitID]sim.Unit{30: at(50 * time.Millisecond), 60: at(51 * time.Millisecond), 90: at(52 * time.Millisecond)}, "[30 60 90]", 17 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			port := sim.NewMemPort()
			ctx, stop := context.WithCancel(t.Context())
			var serving sync.WaitGroup
			serving.Go(func() { sim.New(sim.Config{Line: tt.line, Units: tt.units}).Serve(ctx, port) })
			defer serving.Wait()
			defer stop()
			var flags scanFlags
			flags.units = "1-247"
			_, cfg, err := flags.config("/dev/none")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Lines, cfg.Name = []modbus.Line{tt.line}, nil
			cfg.Open = func(l modbus.Line) (scan.Port, error) {
				p := &prober{doubts: new(modbus.Doubts)}
				p.Transport = rtu.New(heardPort{port, p}, rtu.Config{Line: l, Doubts: p.doubts})
				p.client = modbus.NewClient(p.Transport)
				return p, nil
			}
			start := time.Now()
			round := time.Duration(0)
			cfg.Next = func(p scan.Progress) {
				if p.Round == 0 {
					round = time.Since(start)
				}
			}
			cfg.Found = func(u scan.Unit) {}
			r, err := cfg.Run(t.Context())
			var got []modbus.UnitID
			for _, u := range r.Units {
				got = append(got, u.ID)
			}
			slices.Sort(got)
			t.Logf("%s at %v: 1-247 asked once after %v, all over after %v", tt.name, tt.line, round, time.Since(start))
			if err != nil || fmt.Sprint(got) != tt.want || round > tt.round {
				t.Errorf("%s: %v, %v, the first round took %v", tt.name, got, err, round)
			}
		})
	}
}

// heardPort lets a prober hear what comes.
type heardPort struct {
	*sim.MemPort
	prober *prober
}

func (p heardPort) Close() error { return nil } // it is opened again

func (p heardPort) Read(b []byte) (int, error) {
	n, err := p.MemPort.Read(b)
	if n > 0 {
		p.prober.Received(b[:n], time.Now())
	}
	return n, err
}
