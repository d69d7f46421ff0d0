package config_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"sluice/gateway/config"
)

// largeSite is a site file with so many devices of 20 points each.
func largeSite(devices int) []byte {
	var b strings.Builder
	b.WriteString("version: 1\nsite: plant\nbuses:\n")
	for i := range (devices + 199) / 200 {
		fmt.Fprintf(&b, "  - {id: b%d, port: /dev/ttyUSB%d, baud: 19200, format: 8E1}\n", i, i)
	}
	b.WriteString("devices:\n")
	for i := range devices {
		fmt.Fprintf(&b, "  - id: d%d\n    bus: b%d\n    unit: %d\n    points:\n", i, i/200, i%200+1)
		for j := range 20 {
			fmt.Fprintf(&b, "      - {id: p%d, register: input 0x%04x, type: int32, scale: 0.1, unit: kWh, min: 0, order: CDAB}\n", j, 2*j)
		}
	}
	return []byte(b.String())
}

// BenchmarkParse compiles a site with 1,000 devices of 20 points, and says what
// memory it keeps.
func BenchmarkParse(b *testing.B) {
	text := largeSite(1000)
	var kept *config.Config
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ReportAllocs()
	for b.Loop() {
		cfg, err := config.Parse("site.yaml", text)
		if err != nil {
			b.Fatal(err)
		}
		kept = cfg
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB-kept")
	runtime.KeepAlive(kept)
}
