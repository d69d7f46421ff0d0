package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/configs"
)

// TestPlanJSON holds the objects of a plan against each other: every point is
// read, and published.
func TestPlanJSON(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.yaml")
	text := configs.Minimal + "bridges:\n  - {id: cloud, url: \"mqtts://b.example.com\", send: [{match: \"#\"}]}\n"
	if err := os.WriteFile(site, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := sluice(t, "plan -json -c "+site)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	kinds := map[string]int{}
	read, sent := 0, 0
	for line := range strings.Lines(out) {
		var o struct {
			Kind     string
			Points   []string
			Topics   int
			Load     float64
			Time     float64 `json:"time_ms"`
			Interval float64 `json:"interval_ms"`
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds[o.Kind]++
		read += len(o.Points)
		sent += o.Topics
		if o.Kind == "bus" && (o.Load <= 0 || o.Load > 1) || o.Kind == "request" && o.Time <= 0 || o.Kind == "topic" && o.Interval <= 0 {
			t.Errorf("%s has no figures", line)
		}
	}
	if kinds["bus"] != 1 || kinds["bridge"] != 1 || kinds["request"] == 0 || kinds["topic"] == 0 || read != kinds["topic"] || sent != kinds["topic"] {
		t.Errorf("%d points read, %d topics sent, of %v", read, sent, kinds)
	}
}
