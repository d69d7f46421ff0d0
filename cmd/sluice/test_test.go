package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim"
	"sluice/drivers/sim/device"
)

func TestTestCommandLine(t *testing.T) {
	site := siteOn(t, "/dev/none")
	for _, tt := range []struct {
		args string
		code int
		err  string
	}{
		{"-point pump", exitUsage, "hint: name one: -device ID"},
		{"-port /dev/x", exitUsage, "hint: name one: -device ID"},
		{"-json -all-orders -device tank", exitUsage, "do not go together"},
		{"-c " + site + " -device tnak", exitUsage, "the devices are tank, gone, odd"},
		{"-c " + site + " -device tank -point level", exitUsage, "its points are voltage"},
		{"-c " + site + " tank", exitUsage, "test takes no argument"},
		{"-c " + site, exitFailed, "no such port"},
	} {
		if code, out, err := sluice(t, "test "+tt.args); code != tt.code || out != "" || !strings.Contains(err, tt.err) {
			t.Errorf("sluice test %s: exit code %d, %q, %q, want %q", tt.args, code, out, err, tt.err)
		}
	}
}

// TestTest reads a whole site: one device is whole, one is gone, one lacks a
// register.
func TestTest(t *testing.T) {
	site := siteOn(t, serveMemory(t))
	code, out, err := sluice(t, "test -c "+site)
	for _, want := range []string{
		`voltage +input 0x0000 \(30001\) +4366 8000 +230\.5 +V +good`,
		`pump +coil 0x0002 \(00003\) +1 +true +good`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	if code != exitFailed || !strings.Contains(err, "sluice: gone: ") || !strings.Contains(err, "sluice: odd: ") || strings.Contains(err, "tank") {
		t.Errorf("exit code %d\n%s", code, err)
	}
	if code, out, err := sluice(t, "test -json -device tank -point voltage -c "+site); code != exitOK || strings.Count(out, "\n") != 1 || err != "" {
		t.Errorf("one point: exit code %d\n%s%s", code, out, err)
	}
}

// TestAllOrders is given a value in the wrong order, and one that is one register
// off.
func TestAllOrders(t *testing.T) {
	site := siteOn(t, serveMemory(t))
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ configured, offered, warning string }{
		{"register: input 0x0000, type: float32", `type: float32, unit: "V"}  as configured`, ""},
		{"register: input 0x0000, type: float32, order: CDAB", `order: CDAB, unit: "V"}  as configured`,
			"    230.5  {id: voltage, register: input 0x0000, type: float32, unit: \"V\"}"},
		{"register: input 0x0001, type: float32", `type: float32, unit: "V"}  as configured`,
			"    230.5  {id: voltage, register: input 0x0000, type: float32, unit: \"V\"}"},
		{"register: input 0x0000, type: int32, scale: 0.1", "  23.05   ", ""},
	} {
		changed := strings.Replace(string(text), "register: input 0x0000, type: float32", tt.configured, 1)
		if err := os.WriteFile(site, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		_, out, stderr := sluice(t, "test -all-orders -device tank -point voltage -c "+site)
		if !strings.Contains(out, tt.offered) || tt.warning == "" && strings.Contains(out, "warning") || !strings.Contains(out, tt.warning) {
			t.Errorf("%s:\n%s%s", tt.configured, out, stderr)
		}
	}
}

// TestOneRegisterOff has three voltages of a meter read one register too late, in the
// order that makes them look right (telegraf issue 8151).
func TestOneRegisterOff(t *testing.T) {
	unit := device.Memory{device.Input: {}}
	for _, volts := range []float32{230.5, 231.25, 229.75} {
		v := math.Float32bits(volts + 0.01)
		unit[device.Input] = append(unit[device.Input], uint16(v>>16), uint16(v))
	}
	site := siteOn(t, serve(t, sim.Config{Units: map[modbus.UnitID]sim.Unit{7: {Device: &unit}}}))
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(text), "register: input 0x0000, type: float32", "register: input 0x0001, type: float32, order: CDAB", 1)
	if err := os.WriteFile(site, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := sluice(t, "test -all-orders -device tank -point voltage -c "+site)
	for _, want := range []string{
		"begins at an even address; compare all digits with the display:\n    231.26  {id: voltage, register: input 0x0002, type: float32, unit: \"V\"}\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestComputedPoints shows what is computed from what was read, and counters.
func TestComputedPoints(t *testing.T) {
	site := siteOn(t, serveMemory(t))
	text, err := os.ReadFile(site)
	if err != nil {
		t.Fatal(err)
	}
	more := strings.Replace(string(text), "      - {id: pump, ", `      - {id: twice, expr: "2 * setpoint", unit: mm}
      - {id: lost, expr: "2 * nowhere"}
      - {id: nowhere, register: input 0x0100}
      - {id: strokes, register: holding 0x0002, counter: {as: delta}}
      - {id: pump, `, 1)
	if err := os.WriteFile(site, []byte(more), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, stderr := sluice(t, "test -device tank -c "+site)
	for _, want := range []string{
		`twice +computed +– +3000 +mm +good\n`, `lost +computed +– +– +bad: nowhere: exception 2\n`,
		`strokes +holding 0x0002 \(40003\) +1234 +4660 +good: counts from here\n`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %s in\n%s%s", want, out, stderr)
		}
	}
	code, out, stderr := sluice(t, "test -device tank -point twice -c "+site)
	if code != exitOK || !strings.Contains(out, "setpoint") || !strings.Contains(out, "3000") || strings.Contains(out, "lost") {
		t.Errorf("one point: exit code %d\n%s%s", code, out, stderr)
	}
	if code, _, stderr := sluice(t, "write -yes -c "+site+" tank twice 5"); code != exitUsage || !strings.Contains(stderr, "twice is computed") {
		t.Errorf("write: exit code %d, %s", code, stderr)
	}
}

// TestWatchEnds reads again and again until it is stopped.
func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	out := untilSecond{of: "voltage", then: cancel}
	began := time.Now()
	code := run(ctx, []string{"test", "-watch", "-device", "tank", "-c", siteOn(t, serveMemory(t))}, terminal{&out, &stderr})
	if code != exitOK || time.Since(began) < watchEvery {
		t.Errorf("exit code %d\n%s%s", code, out.text.String(), stderr.String())
	}
}

// untilSecond keeps what is written, and calls then when a word has come twice.
type untilSecond struct {
	text strings.Builder
	of   string
	then func()
}

func (u *untilSecond) Write(p []byte) (int, error) {
	n, err := u.text.Write(p)
	if strings.Count(u.text.String(), u.of) >= 2 {
		u.then()
	}
	return n, err
}
