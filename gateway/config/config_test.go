package config_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"sluice/configs"
	"sluice/gateway/config"
	"sluice/mapping"
)

var update = flag.Bool("update", false, "rewrite the expected reports")

// TestProblems reads broken site files and compares the whole report. Each
// archive in testdata holds the file and what a person is told about it.
func TestProblems(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse("site.yaml", archive.Files[0].Data)
			problems, ok := errors.AsType[mapping.Problems](err)
			if c != nil {
				problems = c.Warnings
			} else if !ok {
				t.Fatalf("got %v, want problems", err)
			}
			got := problems.Error() + "\n"
			if *update {
				archive.Files = append(archive.Files[:1], txtar.File{Name: "report", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(archive.Files) != 2 || string(archive.Files[1].Data) != got {
				t.Errorf("report differs:\n%s", got)
			}
		})
	}
}

// TestReference makes sure that the reference and the minimal file are good
// apart from the files they name, which only exist on a site.
func TestReference(t *testing.T) {
	if _, err := config.Parse("minimal.yaml", []byte(configs.Minimal)); err != nil {
		t.Error(err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", t.TempDir())
	_, err := config.Parse("site.yaml", []byte(configs.Reference))
	problems, _ := errors.AsType[mapping.Problems](err)
	for _, p := range problems {
		if !strings.Contains(p.What, "no such file") {
			t.Errorf("%s\n%s", p, p.Excerpt())
		}
	}
}

// TestDesk reads a site file where the files that its bridges need are not.
func TestDesk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	text := configs.Minimal + `
bridges:
  - id: cloud
    url: mqtts://broker.example.com
    username: plant
    password: {file: secrets/cloud}
    tls: {ca: tls/ca.crt}
    send: [{match: "#"}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "secrets/cloud: no such file") {
		t.Errorf("to run it: %v", err)
	}
	if c, err := config.LoadForDesk(path); err != nil || len(c.Devices) == 0 {
		t.Errorf("at a desk: %v", err)
	}
}

// TestTimeouts has devices on a port and on the network, with and without settings.
func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		defaults, bus, device  string
		onPort, dialled, dials time.Duration
	}{
		{"", "", "", 500 * time.Millisecond, time.Second, time.Second},
		{"timeout: 500ms", "", "", 500 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond},
		{"interval: 1s", ", timeout: 2s", "", 2 * time.Second, 2 * time.Second, 2 * time.Second},
		{"", "", ", timeout: 300ms", 300 * time.Millisecond, 300 * time.Millisecond, 300 * time.Millisecond},
	} {
		c, err := config.Parse("site.yaml", fmt.Appendf(nil, `
version: 1
site: plant
defaults: {%s}
buses:
  - {id: port, port: /dev/ttyUSB0, baud: 9600, format: 8N1%s}
  - {id: dialled, tcp: "192.0.2.40:502"%[2]s}
  - {id: dials, listen: "127.0.0.1:4001"%[2]s}
devices:
  - {id: a, bus: port, unit: 1, points: [{id: p, register: holding 0x0}]%[3]s}
  - {id: b, bus: dialled, unit: 1, canary: never, points: [{id: p, register: holding 0x0}]%[3]s}
  - {id: c, bus: dials, unit: 1, points: [{id: p, register: holding 0x0}]%[3]s}
`, tt.defaults, tt.bus, tt.device))
		if err != nil {
			t.Fatal(err)
		}
		d := c.Devices
		if d[0].Timeout != tt.onPort || d[1].Timeout != tt.dialled || d[2].Timeout != tt.dials {
			t.Errorf("%+v: %v, %v, %v", tt, d[0].Timeout, d[1].Timeout, d[2].Timeout)
		}
		if d[0].NoCanary || !d[1].NoCanary {
			t.Errorf("no canary: %v, %v", d[0].NoCanary, d[1].NoCanary)
		}
	}
}

// TestDefaults makes sure that the defaults that the reference states are the
// ones that hold.
func TestDefaults(t *testing.T) {
	c, err := config.Parse("minimal.yaml", []byte(configs.Minimal+`
bridges:
  - {id: cloud, url: "mqtt://127.0.0.2", send: [{match: "#"}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	d, b := c.Devices[0], c.Bridges[0]
	for _, stated := range []string{
		"# between two polls of a point, 10ms to 1d (default " + mapping.FormatDuration(d.Points[0].Interval) + ")",
		"# end of a request to the first byte of the reply, 10ms to 30s (default " + mapping.FormatDuration(d.Timeout) + ")",
		fmt.Sprintf("# failed exchanges in a row until a device is offline, 1 to 1000 (default %d)", d.OfflineAfter),
		"# and no answer for so long, 0s to 1h (default " + mapping.FormatDuration(d.OfflineTime) + ")",
		fmt.Sprintf("# fleet the gateway belongs to (default: %s)", c.Group),
		fmt.Sprintf("topic: %q", c.Outputs[0].Topic.String()),
		fmt.Sprintf("payload: %s ", c.Outputs[0].Format.Form),
		fmt.Sprintf("# the broker keeps the last value for new subscribers (default %v)", c.Outputs[0].Retain),
		fmt.Sprintf("{address: %q}  # (default)", c.Broker.Listen[0].Address),
		fmt.Sprintf("# 5s to 20m (default as the profile has it: %.0fs)", b.KeepAlive.Seconds()),
		"after so long on the others, 10s to 1d (default " + mapping.FormatDuration(b.FailBack) + ")",
		"# slots last no longer, 1m to 1d (default " + mapping.FormatDuration(b.Connect.For) + ")",
		"# after the last message, 0s to 1h (default " + mapping.FormatDuration(b.Connect.Linger) + ")",
		"# on disk, 4MiB to 1TiB (default " + mapping.FormatSize(b.Queue.Telemetry.Bytes) + ")",
		"# drop-oldest, or reject: publishers get no acknowledgement (default drop-oldest)",
		"alarm: {size: " + mapping.FormatSize(b.Queue.Alarm.Bytes) + ", keep: 0s, when_full: drop-oldest, commit_delay: " + mapping.FormatDuration(b.Queue.Alarm.CommitDelay) + ", order: fifo}",
		"bulk: {size: " + mapping.FormatSize(b.Queue.Bulk.Bytes) + ", keep: 0s, when_full: drop-oldest, commit_delay: " + mapping.FormatDuration(b.Queue.Bulk.CommitDelay) + ", order: fifo}",
		"(default " + strconv.Quote(b.Queue.LateTo) + ")",
		"# messages wait so long to be written together, 0s to 1m (default " + mapping.FormatDuration(b.Queue.Telemetry.CommitDelay) + ")",
	} {
		if !strings.Contains(configs.Reference, stated) {
			t.Errorf("the reference does not say %q", stated)
		}
	}
	if c.Gateway != c.Site || b.ClientID != c.Gateway || !b.Queue.Telemetry.DropOldest || b.Send[0].To != "{topic}" {
		t.Errorf("gateway %q, client id %q, drop oldest %v, to %q: not as the reference says", c.Gateway, b.ClientID, b.Queue.Telemetry.DropOldest, b.Send[0].To)
	}
	if b.URL != "mqtt://127.0.0.2:1883" {
		t.Errorf("url %s, want the usual port added", b.URL)
	}
}

// FuzzParse makes sure that no file crashes the reader, and that what it accepts
// is usable.
func FuzzParse(f *testing.F) {
	f.Add([]byte(configs.Reference))
	f.Add([]byte(configs.Minimal))
	archives, _ := filepath.Glob("testdata/*.txtar")
	withFiles, _ := filepath.Glob("testdata/files/*.txtar")
	for _, path := range append(archives, withFiles...) {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(file.Data)
		}
	}
	f.Add([]byte("version: &a [*a]"))
	f.Add([]byte("buses: [{id: a, port: /x, baud: 1e3, format: 8E1}]\ndevices: {a: b}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse("f", text)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if c != nil && c.Site == "" {
			t.Error("a site without id was accepted")
		}
	})
}
