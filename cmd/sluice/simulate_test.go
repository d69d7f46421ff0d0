package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/drivers/sim"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		text, err string
		want      sim.Faults
	}{
		{"", "", sim.Faults{}},
		{"late=0.02,silent=0.01", "", sim.Faults{Late: 0.02, Silent: 0.01}},
		{"bit-errors=1e-5,echo=1,wrong-unit=0", "", sim.Faults{BitErrors: 1e-5, Echo: 1}},
		{"slow=0.1", "-faults: there is no fault \"slow\"", sim.Faults{}},
		{"late", "-faults: \"late\" is no probability", sim.Faults{}},
		{"late=2", "-faults: \"late=2\" is no probability", sim.Faults{}},
		{"late=NaN", "-faults: \"late=NaN\" is no probability", sim.Faults{}},
	} {
		got, err := parseFaults(tt.text)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != tt.err || err == nil && got != tt.want {
			t.Errorf("%q: %+v, %q", tt.text, got, text)
		}
	}
}

func TestSimulateCommandLine(t *testing.T) {
	site := siteOn(t, "/dev/none")
	for _, tt := range []struct {
		args string
		code int
		err  string
	}{
		{"-faults x=1 -c " + site, exitUsage, "hint: the faults are bit-errors, drop, duplicate"},
		{"-c none.yaml", exitFailed, "hint: name the site file: -c FILE"},
		{"-c " + site + " -port " + site, exitFailed, "hint: choose a path where nothing is"},
		{"-c " + site + " -port /none/tty", exitFailed, "hint: choose a path in a folder that you may write to"},
	} {
		if code, _, err := sluice(t, "simulate "+tt.args); code != tt.code || !strings.Contains(err, tt.err) {
			t.Errorf("sluice simulate %s: exit code %d, %s", tt.args, code, err)
		}
	}
}

// TestSimulate reads and writes the devices of a site by our own tools.
func TestSimulate(t *testing.T) {
	site, link := siteOn(t, "/dev/none"), filepath.Join(t.TempDir(), "tty")
	ctx, cancel := context.WithCancel(t.Context())
	out, far := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"simulate", "-c", site, "-port", link}, terminal{far, far})
		far.Close()
	}()
	var said strings.Builder
	for buf := make([]byte, 1024); !strings.Contains(said.String(), "Ctrl-C stops\n"); {
		n, err := out.Read(buf)
		if said.Write(buf[:n]); err != nil {
			t.Fatal(err, said.String())
		}
	}
	for _, want := range []string{
		"bus line (115200 8N1) is at " + link + ": tank (unit 7), gone (unit 9), odd (unit 8)\n",
		"  try: sluice read -c " + site + " -port " + link + " tank\n",
		"       mbpoll -m rtu -b 115200 -P none -a 7 -t 3:hex -0 -r 0 -c 2 -1 " + link + "\n",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, said.String())
		}
	}
	through := " -c " + site + " -port " + link + " tank"
	if code, out, err := sluice(t, "read"+through); code != exitOK || !strings.Contains(out, " V     good") {
		t.Errorf("read: exit code %d\n%s%s", code, out, err)
	}
	if code, out, err := sluice(t, "write -yes"+through+" setpoint 1234"); code != exitOK || !strings.Contains(out, "now it reads 1234 mm") {
		t.Errorf("write: exit code %d\n%s%s", code, out, err)
	}
	cancel()
	rest, _ := io.ReadAll(out)
	if c := <-code; c != exitOK || !strings.Contains(string(rest), "bus line: 6 requests, 6 replies, 0 faulty on purpose, 0 requests damaged\n") {
		t.Errorf("exit code %d\n%s", c, rest)
	}
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("the link remains: %v", err)
	}
}
