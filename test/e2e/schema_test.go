//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the list of what only `sluice check` sees")

// onlyCheck lists the broken site files in which an editor sees nothing: what is
// wrong with them contradicts another place, or the world outside.
const onlyCheck = "testdata/only-check.txt"

// seen is what others see in a file by the schema.
type seen struct {
	File        string
	Ajv, Editor []string
}

// TestSchema gives the schema that `sluice schema` prints to ajv and to
// yaml-language-server, and both of them every site file: the ones that come with
// the program and every broken one.
func TestSchema(t *testing.T) {
	dir := t.TempDir()
	good := configFiles(t, "*.yaml")
	results := validate(t, schemaFile(t), append(brokenSites(t, dir), good...))
	expectGood(t, results, good)
	var unseen []string
	for file, r := range results {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		switch {
		case filepath.Dir(file) != dir:
		case len(r.Ajv) == 0 && len(r.Editor) == 0:
			unseen = append(unseen, name)
		case len(r.Ajv) == 0:
			t.Errorf("%s: the editor says %q, ajv nothing", name, r.Editor)
		}
	}
	slices.Sort(unseen)
	got := strings.Join(unseen, "\n") + "\n"
	if *update {
		if err := os.WriteFile(onlyCheck, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(onlyCheck); err != nil || string(want) != got {
		t.Errorf("in these an editor sees nothing:\n%sand %s lists others; -update rewrites it (%v)", got, onlyCheck, err)
	}
}

// TestTemplateSchema does so for the templates that come with the program.
func TestTemplateSchema(t *testing.T) {
	good := configFiles(t, "devices/*.yaml")
	results := validate(t, schemaFile(t, "-template"), good)
	expectGood(t, results, good)
}

// configFiles are files that come with the program.
func configFiles(t *testing.T, pattern string) []string {
	files, err := filepath.Glob("../../configs/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	for i := range files {
		files[i], _ = filepath.Abs(files[i])
	}
	return files
}

// schemaFile is a file with what `sluice schema` prints.
func schemaFile(t *testing.T, flags ...string) string {
	schema, err := exec.Command(filepath.Join(bin, "sluice"), append([]string{"schema"}, flags...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, schema, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func expectGood(t *testing.T, results map[string]seen, files []string) {
	for _, file := range files {
		if r := results[file]; len(r.Ajv)+len(r.Editor) > 0 {
			t.Errorf("%s is good, but ajv says %q and the editor %q", file, r.Ajv, r.Editor)
		}
	}
}

// brokenSites writes the site files of the fixtures to dir.
func brokenSites(t *testing.T, dir string) []string {
	archives, err := filepath.Glob("../../gateway/config/testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no fixtures", err)
	}
	files := make([]string, len(archives))
	for i, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = filepath.Join(dir, strings.TrimSuffix(filepath.Base(path), ".txtar")+".yaml")
		if err := os.WriteFile(files[i], archive.Files[0].Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// validate returns what ajv and the language server say of files.
func validate(t *testing.T, schema string, files []string) map[string]seen {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(cache, "sluice-peers/schema")
	if _, err := os.Stat(modules); err != nil {
		t.Fatalf("%v: run `make peers`", err)
	}
	cmd := exec.Command("node", append([]string{"testdata/peers/schema/validate.js", modules, schema}, files...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("validate.js: %v\n%s", err, stderr.String())
	}
	results := map[string]seen{}
	for line := range strings.Lines(string(out)) {
		var s seen
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		results[s.File] = s
	}
	if len(results) != len(files) {
		t.Fatalf("answers for %d of %d files: %v\n%s", len(results), len(files), slices.Collect(maps.Keys(results)), stderr.String())
	}
	return results
}
