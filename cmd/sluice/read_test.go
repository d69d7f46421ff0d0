package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/gateway"
)

func TestReadCommandLine(t *testing.T) {
	for _, tt := range []struct{ args, err string }{
		{"", "hint: sluice read /dev/ttyUSB0"},
		{"/dev/x", "hint: sluice read /dev/x \"input 0x0034\""},
		{"/dev/x input 0x0 input 0x1", "name one register behind the port"},
		{"/dev/x input 100", "hint: write input 0x0064 if the manual counts from 0"},
		{"/dev/x input 0x0 -c f.yaml", "run `sluice help read` for its flags"},
		{"/dev/x input 0x0 -json -all-orders", "do not go together"},
		{"/dev/x input 0x0 -format 8X1", "-format: \"8X1\": parity is one of N, E, O, M, S"},
		{"/dev/x input 0x0 -format 7E1", "hint: write 8E1"},
		{"/dev/x input 0x0 -baud 1", "hint: usual are 9600 and 19200"},
		{"/dev/x input 0x0 -unit 248", "hint: units are 1 to 247"},
		{"/dev/x input 0x0 -timeout 1h", "hint: write 10ms to 30s"},
		{"/dev/x input 0x0 -count 0", "hint: write 1 to 2000"},
		{"/dev/x input 0xffff -type float32", "1 values from input 0xffff (365536) on do not fit"},
		{"/dev/x input 0x0 -type real", "the types are bool"},
		{"/dev/x input 0x0 -type string", "a string spans 1 to 125 registers"},
		{"/dev/x coil 0x0 -type int16", "a coil is one bit and cannot be int16"},
		{"tank", "hint: write it in full, such as /dev/ttyUSB0; devices of a site file are read by sluice test -c site.yaml -device tank"},
	} {
		if code, out, err := sluice(t, "read "+tt.args); code != exitUsage || out != "" || !strings.Contains(err, tt.err) {
			t.Errorf("sluice read %s: exit code %d, %q, %q, want %q", tt.args, code, out, err, tt.err)
		}
	}
	code, _, err := sluice(t, "read /dev/none input 0x0")
	if code != exitFailed || !strings.Contains(err, "no such port") || !strings.Contains(err, "hint: ") {
		t.Errorf("exit code %d, %q", code, err)
	}
}

func TestReadOnPort(t *testing.T) {
	port := serveMemory(t)
	for _, tt := range []struct {
		args, out string
		code      int
		err       string
	}{
		{"input 0x0000 -type float32", `input 0x0000 \(30001\)  4366 8000  230.5  good\n`, exitOK, ""},
		{"-type int16 input 30003", `input 0x0002 \(30003\)  ff16  -234   good\n`, exitOK, ""},
		{"holding 0x0 -count 4", `(?s)05dc.*00ff.*1234.*holding 0x0003 \(40004\)  5678  22136  good\n`, exitOK, ""},
		{"holding 0x2 -type uint32 -order CDAB", `1234 5678  1450709556  good\n`, exitOK, ""},
		{"coil 0x0 -count 3", `(?s)0x0000 .*1    true.*0x0001 .*0    false.*0x0002 .*1    true`, exitOK, ""},
		{"input 0x0 -type float32 -json", `^\{"register":"input 0x0000 \(30001\)","raw":"4366 8000","value":230.5,"quality":"good","ts":\d+\}\n$`, exitOK, ""},
		{"input 0x4 -type float32", ``, exitFailed, "exception 2 (illegal data address)\n  hint: the device has no such register"},
		{"input 0x2 -count 4", `(?s)ff16 .*0x0005 \(30006\)  –     –      bad: exception 2`, exitFailed, "1 of 4 values could not be read"},
		{"discrete 0x0", ``, exitFailed, "hint: the device does not know this function"},
		{"input 0x3 -type float32", ``, exitFailed, "1 of 1 values mean nothing\n  hint: check type and order"},
		{"input 0x0 -type float32 -order CDAB -all-orders", `(?s)input 0x0000 \(30001\) holds 4366 8000, behind it ff16 7fc0 0000\n.*` +
			`warning: .*    230.5  \{id: value, register: input 0x0000, type: float32\}\n`, exitOK, ""},
	} {
		code, out, err := sluice(t, "read "+port+" -baud 115200 -unit 7 "+tt.args)
		if code != tt.code || !regexp.MustCompile(tt.out).MatchString(out) || tt.out == "" && out != "" || !strings.Contains(err, tt.err) || tt.err == "" && err != "" {
			t.Errorf("%s: exit code %d\n%s%s", tt.args, code, out, err)
		}
	}
	if code, out, err := sluice(t, "read "+port+" -baud 115200 -unit 9 -timeout 20ms holding 0x0"); code != exitFailed || out != "" ||
		!strings.Contains(err, "unit 9: silent: no reply within 20ms\n  hint: check unit number") {
		t.Errorf("silent unit: exit code %d\n%s%s", code, out, err)
	}
}

func TestReadThroughSite(t *testing.T) {
	one := memory()
	two := memory()
	port := serve(t, sim.Config{Units: map[modbus.UnitID]sim.Unit{7: {Device: one, Latency: time.Millisecond}, 8: {Device: two}}})
	site := siteOn(t, port)
	for _, tt := range []struct {
		args, out string
		code      int
		err       string
	}{
		{"-device tank", `tank, unit 7 on ` + port + ` (115200 8N1)
point        register                raw        value  unit  quality
voltage      input 0x0000 (30001)    4366 8000  230.5  V     good
temperature  input 0x0002 (30003)    ff16       -23.4  °C    good
setpoint     holding 0x0000 (40001)  05dc       1500   mm    good
alarm        holding 0x0001 (40002)  00ff       false        good
pump         coil 0x0002 (00003)     1          true         good
`, exitOK, ""},
		{"-device tank -point pump", `tank, unit 7 on ` + port + ` (115200 8N1)
point  register             raw  value  unit  quality
pump   coil 0x0002 (00003)  1    true         good
`, exitOK, ""},
		{"-device odd", `odd, unit 8 on ` + port + ` (115200 8N1)
point    register              raw   value  unit  quality
there    input 0x0001 (30002)  8000  32768        good
missing  input 0x0005 (30006)  –     –            bad: exception 2
`, exitFailed, "sluice: odd: 1 of 2 values could not be read: unit 8: refused: exception 2 (illegal data address)\n  hint: the device has no such register: " +
			"manuals count from 0 or from 1, so try the neighbours\n"},
		{"-device gone", "", exitFailed, "sluice: gone: unit 9: silent: no reply within 1s\n  hint: check unit number, speed and format, or let `sluice scan` find them; then A and B swapped, the supply\n"},
	} {
		if code, out, err := sluice(t, "test -c "+site+" "+tt.args); code != tt.code || out != tt.out || err != tt.err {
			t.Errorf("%s: exit code %d\n%s%s", tt.args, code, out, err)
		}
	}
}

// TestPortInsteadOfNetwork has a device behind a converter, and a line of its own
// at the desk.
func TestPortInsteadOfNetwork(t *testing.T) {
	text, err := os.ReadFile(siteOn(t, "/dev/none"))
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(t.TempDir(), "site.yaml")
	network := strings.Replace(string(text), "port: /dev/none", "tcp: \"127.0.0.1:1\", framing: rtu", 1)
	if err := os.WriteFile(site, []byte(network), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, problem := sluice(t, "test -c "+site+" -port "+serveMemory(t)+" -device tank -point pump")
	if code != exitOK || !strings.Contains(out, "true") {
		t.Errorf("exit code %d\n%s%s", code, out, problem)
	}
	if code, _, problem := sluice(t, "test -c "+site+" -device tank -point pump"); code != exitFailed || !strings.Contains(problem, "hint: check address and port") {
		t.Errorf("exit code %d, %s", code, problem)
	}
}

// TestPortInUse has the port owned by a gateway.
func TestPortInUse(t *testing.T) {
	port := serveMemory(t)
	g := target{}
	g.bus.Port, g.bus.Line = port, fast
	owner, err := gateway.OpenBus(t.Context(), g.bus, new(modbus.Doubts), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if code, _, err := sluice(t, "read "+port+" input 0x0"); code != exitFailed || !strings.Contains(err, "in use by another program") ||
		!strings.Contains(err, "hint: if that is `sluice run`") {
		t.Errorf("exit code %d, %s", code, err)
	}
}

// TestReadHeldBack has a virtual port whose program pauses within a reply, as one
// does on a busy machine, and a bridge to a converter on a bad network.
func TestReadHeldBack(t *testing.T) {
	port := serve(t, sim.Config{Adapter: sim.Adapter{Idle: 1000}, Units: map[modbus.UnitID]sim.Unit{7: {Device: memory()}}})
	if code, out, err := sluice(t, "read "+port+" input 0x0000 -type float32 -unit 7 -baud 115200"); code != exitOK || !strings.Contains(out, "230.5") {
		t.Errorf("exit code %d\n%s%s", code, out, err)
	}
}
