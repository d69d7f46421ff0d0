package main

import (
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
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
	code, out, err := sluice(t, "scan "+port+" -units 6-7,9 -bauds 115200,9600 -formats 8N1 -timeout 200ms")
	if code != exitOK || err != "" {
		t.Errorf("exit code %d, %s", code, err)
	}
	head, lines, _ := strings.Cut(out, "\nfor the site file:\n\n")
	if want := "asking 3 units for 2 speeds and formats on " + port + ": at most 6s, and up to 11s for each that answers; nothing is changed\n" +
		"at 115200 8N1\n" +
		"unit 7 at 115200 8N1: diagnostics: echo, read holding registers: 0x0000 = 05dc, read input registers: 0x0000 = 4366\n" +
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
	s := &search{terminal: terminal{out: &out}, draws: true, start: time.Now()}
	s.cfg.Units, s.cfg.Lines = []modbus.UnitID{1, 2, 3}, []modbus.Line{fast}
	s.next(fast, 0)
	s.next(fast, 1)
	s.clear()
	if want := "[##########....................] unit 2 at 115200 8N1, 0 found, at most "; !strings.Contains(out.String(), want) ||
		!strings.HasSuffix(out.String(), "\r\x1b[K") {
		t.Errorf("%q", out.String())
	}
}
