package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inverterSite writes a site file with an inverter that keeps its models at a
// distance from the usual place, and returns its path.
func inverterSite(t *testing.T, base, away int, more string) string {
	t.Helper()
	at := func(address int) string { return fmt.Sprintf("holding 0x%04x", address+away) }
	text := fmt.Sprintf(`version: 1
site: roof
defaults: {timeout: 1s}
buses: [{id: line, port: /dev/none, baud: 115200, format: 8N1}]
devices:
  - id: inverter
    name: Acme
    bus: line
    unit: 7
    sunspec: {bases: [%d], models: [{ids: [1], at: %s}, {ids: [101, 103], at: %s}%s]}
    points:
      - {id: maker, register: %s, type: string, length: 4}
      - {id: power, register: %s, unit: W}
      - {id: limit, register: %s, unit: "%%"}
      - {id: meter, register: %s, unit: A}
`, base, at(40002), at(40020), more, at(40004), at(40024), at(40025), at(40040))
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWalk reads and writes an inverter whose models stand elsewhere than the site
// file has them.
func TestWalk(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	_, stop := simulate(t, "-c", inverterSite(t, 40000, 0, ""), "-port", link)
	defer stop()
	through := " -c " + inverterSite(t, 40000, 100, ", {ids: [203], at: holding 0x9cca}") + " -port " + link
	for _, tt := range []struct {
		args, out, err string
		code           int
	}{
		{"test" + through + " -device inverter -point power", "power  holding 0x9c58 (440025)", "", exitOK},
		{"test" + through + " -device inverter", "maker  holding 0x9c44 (440005)  4163 6d65 0000 0000  Acme", "1 of 4 values are not there: the device has no SunSpec model 203\n", exitFailed},
		{"test" + through + " -device inverter -point meter", "", "the device has no SunSpec model 203\n", exitFailed},
		{"test" + through + " -device inverter -point limit", "limit  holding 0x9c59 (440026)", "", exitOK},
		{"test" + through + " -device inverter -all-orders", "meter: cannot be read", "", exitFailed},
		{"write -yes" + through + " inverter limit 80", "limit: written; now it reads 80 %", "", exitOK},
		{"write -yes" + through + " inverter meter 80", "", "the device has no SunSpec model 203\n", exitFailed},
		{"scan " + link + " -units 7 -bauds 115200 -formats 8N1", "likely template: sunspec-inverter", "", exitOK},
	} {
		if code, out, err := sluice(t, tt.args); code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) {
			t.Errorf("sluice %s: exit code %d\n%s%s", tt.args, code, out, err)
		}
	}
}

// TestWalkToNowhere has a device that lists its models at another base than those
// known.
func TestWalkToNowhere(t *testing.T) {
	link := filepath.Join(t.TempDir(), "tty")
	_, stop := simulate(t, "-c", inverterSite(t, 40000, 0, ""), "-port", link)
	defer stop()
	site := inverterSite(t, 50000, 0, "")
	code, _, err := sluice(t, "test -c "+site+" -port "+link+" -device inverter")
	if code != exitFailed || !strings.Contains(err, "the device lists no SunSpec models") || !strings.Contains(err, "SunSpec switched off") {
		t.Errorf("exit code %d, %s", code, err)
	}
}
