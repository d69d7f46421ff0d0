package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			_, err = config.Parse("site.yaml", archive.Files[0].Data)
			problems, ok := errors.AsType[mapping.Problems](err)
			if !ok {
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
	_, err := config.Parse("site.yaml", []byte(configs.Reference))
	problems, _ := errors.AsType[mapping.Problems](err)
	for _, p := range problems {
		if !strings.Contains(p.What, "no such file") {
			t.Errorf("%s\n%s", p, p.Excerpt())
		}
	}
}

// TestReferenceDefaults makes sure that the defaults that the reference states
// are the ones that hold.
func TestDefaults(t *testing.T) {
	c, err := config.Parse("minimal.yaml", []byte(configs.Minimal+`
bridges:
  - {id: cloud, url: "mqtt://127.0.0.1", send: [{match: "#"}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	p := c.Devices[0].Points[0]
	b := c.Bridges[0]
	for _, tt := range []struct{ name, got string }{
		{"gateway: gw", "gateway: " + strings.Replace(c.Gateway, c.Site, "gw", 1)},
		{"interval: 5s ", "interval: " + mapping.FormatDuration(p.Interval) + " "},
		{"timeout: 500ms ", "timeout: " + mapping.FormatDuration(c.Devices[0].Timeout) + " "},
		{"keepalive: 60s", "keepalive: 60s" + strings.TrimPrefix(b.KeepAlive.String(), "1m0s")},
		{"size: 256MiB", "size: " + mapping.FormatSize(b.Queue.Bytes)},
		{"commit_delay: 200ms", "commit_delay: " + mapping.FormatDuration(b.Queue.CommitDelay)},
		{`client_id: "{gateway}"`, `client_id: "` + strings.Replace(b.ClientID, c.Gateway, "{gateway}", 1) + `"`},
		{`topic: "{site}/{device}/{point}"`, `topic: "` + c.Publish.Topic + `"`},
		{`{address: "127.0.0.1:1883"}`, `{address: "` + c.Broker.Listen[0] + `"}`},
	} {
		if tt.got != tt.name || (tt.name != "gateway: gw" && !strings.Contains(configs.Reference, tt.name)) {
			t.Errorf("the default is %q; the reference says %q", tt.got, tt.name)
		}
	}
	if b.URL != "mqtt://127.0.0.1:1883" {
		t.Errorf("url %s, want the usual port added", b.URL)
	}
}

// FuzzParse makes sure that no file crashes the reader, and that what it accepts
// is usable.
func FuzzParse(f *testing.F) {
	f.Add([]byte(configs.Reference))
	f.Add([]byte(configs.Minimal))
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
