package config_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"sluice/gateway/config"
	"sluice/mapping"
)

// TestFiles reads sites of several files. Each archive in testdata/files holds
// them and, last, what comes of them: the devices as they are polled, or what a
// person is told.
func TestFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/files/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			want := ""
			for _, f := range archive.Files {
				if f.Name == "outcome" {
					want = string(f.Data)
					continue
				}
				write(t, filepath.Join(dir, f.Name), f.Data)
			}
			got := outcome(filepath.Join(dir, "site.yaml"))
			got = strings.ReplaceAll(got, dir+"/", "")
			if *update {
				files := slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "outcome" })
				archive.Files = append(files, txtar.File{Name: "outcome", Data: []byte(got)})
				write(t, path, txtar.Format(archive))
			} else if got != want {
				t.Errorf("outcome differs:\n%s", got)
			}
		})
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// outcome says what becomes of a site file.
func outcome(path string) string {
	c, err := config.Load(path)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	if len(c.Warnings) > 0 {
		fmt.Fprintln(&b, c.Warnings.Error())
	}
	for _, d := range c.Devices {
		fmt.Fprintf(&b, "%s (%s): unit %d on %s, template %q, timeout %s, rest %s, limits %+v, labels", d.ID, d.Name, d.Unit, d.Bus, d.Template,
			mapping.FormatDuration(d.Timeout), mapping.FormatDuration(d.Rest), d.Limits)
		for _, name := range slices.Sorted(maps.Keys(d.Labels)) {
			fmt.Fprintf(&b, " %s=%s", name, d.Labels[name])
		}
		b.WriteByte('\n')
		for _, w := range d.OnConnect {
			fmt.Fprintf(&b, "  writes %d to %s\n", w.Value, w.Register)
		}
		for _, p := range d.Points {
			fmt.Fprintf(&b, "  %s: %s every %s in %q\n", p.ID, p.Register, mapping.FormatDuration(p.Interval), p.Unit)
		}
	}
	return b.String()
}
