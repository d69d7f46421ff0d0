package main

import (
	"strings"
	"testing"
)

// TestPlanOfOneDevice shows what is its own, and the load of its line.
func TestPlanOfOneDevice(t *testing.T) {
	site := siteOn(t, "/dev/none")
	code, out, stderr := sluice(t, "plan -device odd -c "+site)
	if code != exitOK || stderr != "" || strings.Contains(out, "tank") || strings.Contains(out, "gone") ||
		!strings.Contains(out, "bus line, 115200 8N1: ") || !strings.Contains(out, "  plant/odd/there") {
		t.Errorf("exit code %d\n%s%s", code, out, stderr)
	}
	if code, _, stderr := sluice(t, "plan -device tnak -c "+site); code != exitUsage || !strings.Contains(stderr, "the devices are tank, gone, odd") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
