package main

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
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
		{"register: input 0x0000, type: float32", "type: float32}  as configured", ""},
		{"register: input 0x0000, type: float32, order: CDAB", "order: CDAB}  as configured",
			"warning: 230.5 makes far more sense: {id: voltage, register: input 0x0000, type: float32}"},
		{"register: input 0x0001, type: float32", "type: float32}  as configured",
			"warning: 230.5 makes far more sense: {id: voltage, register: input 0x0000, type: float32}"},
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

// TestWatchEnds reads again and again until it is stopped.
func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*watchEvery)
	defer cancel()
	var out, stderr bytes.Buffer
	began := time.Now()
	code := run(ctx, []string{"test", "-watch", "-device", "tank", "-c", siteOn(t, serveMemory(t))}, terminal{&out, &stderr})
	if n := strings.Count(out.String(), "voltage"); code != exitOK || n < 2 || time.Since(began) < watchEvery {
		t.Errorf("exit code %d, %d rounds\n%s%s", code, n, out.String(), stderr.String())
	}
}
