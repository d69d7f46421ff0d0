package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/drivers/sim"
)

func TestParseFaults(t *testing.T) {
	for _, tt := range []struct {
		text, err string
		want      wrongs
	}{
		{"", "", wrongs{}},
		{"late=0.02,silent=0.01", "", wrongs{Faults: sim.Faults{Late: 0.02, Silent: 0.01}}},
		{"bit-errors=1e-5,echo=1,wrong-unit=0", "", wrongs{Faults: sim.Faults{BitErrors: 1e-5, Echo: 1}}},
		{"busy=0.1,holes=0.5,unplug=0.01", "", wrongs{sim.Faults{Busy: 0.1}, 0.5, 0.01}},
		{"slow=0.1", "-faults: there is no fault \"slow\"", wrongs{}},
		{"late", "-faults: \"late\" is no probability", wrongs{}},
		{"late=2", "-faults: \"late=2\" is no probability", wrongs{}},
		{"late=NaN", "-faults: \"late=NaN\" is no probability", wrongs{}},
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
		{"-faults x=1 -c " + site, exitUsage, "hint: the faults are bit-errors, busy, drop, duplicate"},
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
	said, stop := simulate(t, "-c", site, "-port", link)
	for _, want := range []string{
		"bus line (115200 8N1) is at " + link + ": tank (unit 7), gone (unit 9), odd (unit 8)\n",
		"  try: sluice test -c " + site + " -port " + link + " -device tank\n",
		"       mbpoll -m rtu -b 115200 -P none -a 7 -t 3:hex -0 -r 0 -c 2 -1 " + link + "\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in:\n%s", want, said)
		}
	}
	through := " -c " + site + " -port " + link + " tank"
	if code, out, err := sluice(t, "test -c "+site+" -port "+link+" -device tank"); code != exitOK || !strings.Contains(out, " V     good") {
		t.Errorf("test: exit code %d\n%s%s", code, out, err)
	}
	if code, out, err := sluice(t, "write -yes"+through+" setpoint 1234"); code != exitOK || !strings.Contains(out, "now it reads 1234 mm") {
		t.Errorf("write: exit code %d\n%s%s", code, out, err)
	}
	if c, rest := stop(); c != exitOK || !strings.Contains(rest, "bus line: 6 requests, 6 replies, 0 faulty on purpose, 0 requests damaged\n") {
		t.Errorf("exit code %d\n%s", c, rest)
	}
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		t.Errorf("the link remains: %v", err)
	}
}

// TestSimulateRelative: the place it prints is one that other commands take.
func TestSimulateRelative(t *testing.T) {
	site := siteOn(t, "/dev/none")
	t.Chdir(t.TempDir())
	said, stop := simulate(t, "-c", site, "-port", "tty")
	defer stop()
	here, err := filepath.Abs("tty")
	if err != nil || !strings.Contains(said, " is at "+here+":") {
		t.Errorf("%v in:\n%s", err, said)
	}
}

// TestSimulateUnplugs has a port that is pulled after each reply: it comes back as
// another one behind the same link.
func TestSimulateUnplugs(t *testing.T) {
	site, link := siteOn(t, "/dev/none"), filepath.Join(t.TempDir(), "tty")
	_, stop := simulate(t, "-c", site, "-port", link, "-faults", "unplug=1")
	before, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	sluice(t, "test -c "+site+" -port "+link+" -device tank -point pump")
	after := before
	for deadline := time.Now().Add(time.Minute); after == before && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
		if now, err := os.Readlink(link); err == nil {
			after = now
		}
	}
	if after == before {
		t.Error("it did not come back")
	}
	if c, rest := stop(); c != exitOK || !strings.Contains(rest, "bus line: unplugged\nbus line: back at "+link+"\n") {
		t.Errorf("exit code %d\n%s", c, rest)
	}
}

// TestSimulateNetwork has a device and a converter on the network and an ASCII line,
// found and read by our own tools.
func TestSimulateNetwork(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.yaml")
	text := `version: 1
site: plant
buses:
  - {id: plc, tcp: "192.0.2.17:502"}
  - {id: converter, tcp: "192.0.2.40:4001", framing: rtu, baud: 115200}
  - {id: old, port: /dev/none, baud: 115200, format: 8N1, framing: ascii}
devices:
  - {id: filler, bus: plc, unit: 255, points: [{id: speed, register: input 0x0, unit: rpm}]}
  - {id: meter, bus: converter, unit: 7, points: [{id: power, register: input 0x0, type: float32, unit: W}]}
  - {id: scale, bus: old, unit: 3, points: [{id: weight, register: holding 0x10, unit: kg}]}
`
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	said, stop := simulate(t, "-c", site)
	for _, tt := range []struct{ device, scan, want string }{
		{"filler", "-units 254-255 -timeout 500ms", "says it is Sluice filler simulated"},
		{"meter", "-units 7-8 -framing rtu -timeout 500ms", "unit 7 at 127.0.0.1:"},
		{"scale", "-units 3 -framing ascii -bauds 115200 -formats 8N1", "framing: ascii}"},
	} {
		_, rest, _ := strings.Cut(said, "  try: sluice test -c "+site+" -port ")
		place, _, _ := strings.Cut(rest, " ")
		said = rest
		if code, out, err := sluice(t, "test -c "+site+" -port "+place+" -device "+tt.device); code != exitOK || !strings.Contains(out, "good") {
			t.Errorf("test %s: exit code %d\n%s%s", tt.device, code, out, err)
		}
		if code, out, err := sluice(t, "scan "+place+" "+tt.scan); code != exitOK || !strings.Contains(out, tt.want) {
			t.Errorf("scan %s: exit code %d\n%s%s", place, code, out, err)
		}
	}
	if c, rest := stop(); c != exitOK || !strings.Contains(rest, "bus plc: ") {
		t.Errorf("exit code %d\n%s", c, rest)
	}
}

// simulate runs a simulation until stop, and returns what it says at first.
func simulate(t *testing.T, args ...string) (said string, stop func() (code int, rest string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, far := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"simulate"}, args...), terminal{far, far})
		far.Close()
	}()
	for buf := make([]byte, 1024); !strings.Contains(said, "Ctrl-C stops\n"); {
		n, err := out.Read(buf)
		if said += string(buf[:n]); err != nil {
			t.Fatal(err, said)
		}
	}
	var later strings.Builder
	ended := make(chan struct{})
	go func() {
		io.Copy(&later, out)
		close(ended)
	}()
	return said, func() (int, string) {
		cancel()
		<-ended
		return <-code, later.String()
	}
}
