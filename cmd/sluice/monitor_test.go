package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
)

// echoing serves units on a port that returns what is written to it, so that one
// who listens there hears both sides. The file is the master's side.
func echoing(t *testing.T, units map[modbus.UnitID]sim.Unit) (string, *os.File) {
	t.Helper()
	pty, err := sim.OpenPTY()
	if err != nil {
		t.Fatalf("no pseudo-terminal: %v", err)
	}
	t.Cleanup(pty.Unplug)
	bus := sim.New(sim.Config{Line: fast, Units: units})
	bus.SetFaults(sim.Faults{Echo: 1})
	go bus.Serve(context.Background(), pty) // ends by Unplug
	master, err := os.OpenFile(pty.Path(), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	return pty.Path(), master
}

// TestMonitor listens while a master asks unit 7, unit 9 that is not there, and
// unit 7 for what it has not.
func TestMonitor(t *testing.T) {
	for _, tt := range []struct {
		flag string
		want []string
	}{
		{"-decode", []string{
			`> unit 7, read input registers: 0x0000, 2 of them$`,
			`< unit 7, read input registers: 0x0000 = 4366 \(17254\), 8000 \(32768\)$`,
			`> unit 9, read coils: 0x0000$`,
			`> unit 7, read discrete inputs: 0x0000 \(the request before got no reply\)$`,
			`< unit 7, read discrete inputs: exception 1, illegal function$`,
			`\? damaged: 3 bytes that are no frame with a good checksum: 01 02 03$`,
		}},
		{"-decode=false", []string{
			`07 04 00 00 00 02 71 ad$`, `07 04 04 43 66 80 00 .. ..$`, `09 01 00 00 00 01 .. ..$`,
			`07 02 00 00 00 01 .. ..$`, `07 82 01 .. ..$`, `01 02 03$`,
		}},
	} {
		port, master := echoing(t, map[modbus.UnitID]sim.Unit{7: {Device: memory(), Latency: 3 * time.Millisecond}})
		ctx, cancel := context.WithCancel(t.Context())
		out, far := io.Pipe()
		code := make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"monitor", port, "-baud", "115200", tt.flag}, terminal{far, far})
			far.Close()
		}()
		lines := bufio.NewScanner(out)
		next := func() string { lines.Scan(); return lines.Text() }
		if l := next(); l != "listening on "+port+" (115200 8N1); nothing is sent; Ctrl-C stops" {
			t.Fatal(l)
		}
		ask := func(request string) {
			<-time.After(2 * fast.Silence()) // which ends the frame before
			if _, err := master.Write(modbus.AppendCRC([]byte(request))); err != nil {
				t.Fatal(err)
			}
		}
		stamp := `^\d\d:\d\d:\d\d\.\d{6} +\+\d+ µs  `
		for i, want := range tt.want {
			switch i {
			case 0:
				ask("\x07\x04\x00\x00\x00\x02")
			case 2:
				ask("\x09\x01\x00\x00\x00\x01") // nobody is there
			case 3:
				ask("\x07\x02\x00\x00\x00\x01")
			case 5:
				<-time.After(2 * fast.Silence())
				master.Write([]byte{1, 2, 3})
			}
			if l := next(); !regexp.MustCompile(stamp + want).MatchString(l) {
				t.Errorf("%q, want %q", l, want)
			}
		}
		cancel()
		if l := next(); l != "3 requests, 2 replies, 1 without a reply, 1 damaged; units that replied: 7" {
			t.Error(l)
		}
		if c := <-code; c != exitOK {
			t.Errorf("exit code %d", c)
		}
	}
}

func TestMonitorCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string
		code int
		err  string
	}{
		{"", exitUsage, "hint: sluice monitor /dev/ttyUSB0 -decode"},
		{"/dev/a /dev/b", exitUsage, "monitor takes one port"},
		{"/dev/a -format 7N1", exitUsage, "hint: write 8N1"},
		{"/dev/none", exitFailed, "no such port"},
	} {
		if code, _, err := sluice(t, "monitor "+tt.args); code != tt.code || !strings.Contains(err, tt.err) {
			t.Errorf("sluice monitor %s: exit code %d, %s", tt.args, code, err)
		}
	}
}

// TestMonitorOfAnotherSpeed hears bytes but no frame.
func TestMonitorOfAnotherSpeed(t *testing.T) {
	var out, err strings.Builder
	s := newSession(terminal{&out, &err}, true)
	s.damaged = 4
	if e := s.end(); e == nil || terminal.exit(s.terminal, e) != exitFailed || !strings.Contains(err.String(), "hint: try another -baud and -format") {
		t.Errorf("%v\n%s", e, err.String())
	}
}
