package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"gopkg.in/yaml.v3"

	"sluice/configs"
)

// TestNoSlips makes sure that nothing is said against files that are YAML.
func TestNoSlips(t *testing.T) {
	texts := map[string]string{"reference": configs.Reference, "minimal": configs.Minimal}
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no fixtures", err)
	}
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(path)] = string(archive.Files[0].Data)
	}
	for name, text := range texts {
		if yaml.Unmarshal([]byte(text), &yaml.Node{}) != nil {
			continue
		}
		for _, s := range findSlips(text) {
			t.Errorf("%s:%d:%d: %s", name, s.line, s.column, s.what)
		}
	}
}

// TestSlips holds what is no YAML against the place and the slip that is found.
func TestSlips(t *testing.T) {
	for _, tt := range []struct {
		text         string
		line, column int
		what         string // a part of it
	}{
		{"a:\n\tb: 2", 2, 1, "a tab"},
		{"a:\n  - x: 1\n  \ty: 2", 3, 3, "a tab"},
		{"name: Boiler: north", 1, 13, "a second"},
		{"unit: %", 1, 7, "cannot begin with %"},
		{"x: 1\nunit: @foo", 2, 7, "cannot begin with @"},
		{"a: `b`", 1, 4, "cannot begin with `"},
		{"match: *", 1, 8, "cannot begin with *"},
		{"topic: {site}/{device}\nx: 1", 1, 14, "behind the closing }"},
		{"m: [a, b\nc: d", 1, 4, "[ is never closed"},
		{"m: {a: 1, b: 2\nc: d\ne: f", 1, 4, "{ is never closed"},
		{"m: [a,\n  {b: 1\n  ]", 3, 3, "does not close the {"},
		{"m: [1, 2", 1, 4, "[ is never closed"},
		{"x: 'abc\ny: 2", 1, 4, "' is never closed"},
		{"x: \"abc\ny: 2", 1, 4, "\" is never closed"},
		{"a: 'it's'", 1, 8, "behind the closing '"},
		{"c: \"x\" y", 1, 7, "behind the closing \""},
		{`a: "C:\Users"`, 1, 7, `\U means nothing`},
		{`a: "\d"`, 1, 5, `\d means nothing`},
		{"a: 1\n b: 2", 2, 2, "has a value already"},
		{"a:\n  b: 1\n c: 2", 3, 2, "fits none of the lines above: those have 0, 2"},
		{"a:\n  - b: 1\n   c: 2", 3, 4, "fits none of the lines above: those have 0, 2, 4"},
		{"a:\n  - b: 1\n - c: 2", 3, 2, "fits none"},
		{"a:\n  - b: 1\n  c: 2", 3, 3, "a key beside the items"},
		{"a: 1\n- b", 2, 1, "an item of a list beside keys"},
		{"b: 2\na:1\nc: 3", 2, 3, "no space behind the colon"},
		{"b: 2\na 1\nc: 3", 2, 1, "neither a key nor an item"},
		{"a: - b", 1, 4, "behind a key"},
		{"a: ]", 1, 4, "] where a value"},
		{"p: [{id: a, unit: %}]", 1, 19, "cannot begin with %"},
		{"a: {b: 1 c: 2}", 1, 11, "a second key without a comma"},
		{"°: {b: 1 c: 2}", 1, 11, "a second key without a comma"},
	} {
		if yaml.Unmarshal([]byte(tt.text), &yaml.Node{}) == nil {
			t.Errorf("%q is YAML", tt.text)
		}
		got := findSlips(tt.text)
		if len(got) != 1 || got[0].line != tt.line || got[0].column != tt.column || !strings.Contains(got[0].what, tt.what) {
			t.Errorf("%q: found %+v, want %q at %d:%d", tt.text, got, tt.what, tt.line, tt.column)
		}
	}
}

// FuzzSlips makes sure that no text stops the finder, and that what it finds lies
// within the text.
func FuzzSlips(f *testing.F) {
	f.Add(configs.Reference)
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range archives {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, s := range append(findSlips(text), foreignBytes(text)...) {
			if s.line < 1 || s.line > len(lines) || s.column < 1 || s.column > len([]rune(lines[s.line-1]))+1 {
				t.Errorf("%+v lies outside", s)
			}
		}
	})
}
