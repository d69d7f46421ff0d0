package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteKeepsToItsRules makes sure that the site file decides what may be
// written, and by which function.
func TestWriteKeepsToItsRules(t *testing.T) {
	port, written := serveWatched(t)
	site := filepath.Join(t.TempDir(), "site.yaml")
	text := `version: 1
site: plant
buses: [{id: line, port: ` + port + `, baud: 115200, format: 8N1}]
devices:
  - id: tank
    bus: line
    unit: 7
    points:
      - {id: limit, register: holding 0x0002, scale: 0.1, write: {min: 2, max: 9.5, step: 0.5, function: 16}}
      - {id: mode,  register: holding 0x0003, type: uint8-low, write: {enum: [0, 1, 2], function: 22}}
      - {id: pump,  register: coil 0x0002, write: {function: 15}}
`
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args, out string
		function  uint32 // 0: nothing is written
		err       string
	}{
		{"limit 4.5", "now it reads 4.5 (002d)", 16, ""},
		{"limit 1.5", "", 0, "limit: 1.5 is not from 2 to 9.5\n  hint: its write rules are in the site file"},
		{"limit 4.7", "", 0, "4.7 is not a whole number of steps of 0.5 above 2"},
		{"mode 2", "mode: written; now it reads 2 (5602)", 22, ""},
		{"mode 3", "", 0, "3 is not allowed: it is one of 0, 1, 2"},
		{"pump off", "pump: written; now it reads false (0)", 15, ""},
	} {
		written.Store(0)
		code, out, err := sluice(t, "write -yes -c "+site+" tank "+tt.args)
		if !strings.Contains(out, tt.out) || !strings.Contains(err, tt.err) || (code == exitOK) != (tt.err == "") || written.Load() != tt.function {
			t.Errorf("sluice write %s: exit code %d, function %d\n%s%s", tt.args, code, written.Load(), out, err)
		}
	}
}
