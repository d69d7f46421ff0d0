package arch

import (
	"maps"
	"os"
	"slices"
	"testing"
	"testing/fstest"
)

func TestRepository(t *testing.T) {
	problems, err := Check(os.DirFS("../.."), sluice())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// The rules and the tree that the cases below break.
var (
	sampleRules = Rules{
		Module: "m",
		Top:    []Top{{"families", []string{"go.mod", "base", "engine", "app", "test"}}, {"dotfiles", []string{".*"}}},
		Floors: []Floor{
			{"the ground knows nobody", []string{"base"}},
			{"engines stand alone", []string{"engine/one", "engine/two"}},
			{"only the app knows everybody", []string{"app", "app/config"}},
		},
		Beside: []Pair{{"app", "app/config", "configuration is wired there"}},
		Libraries: []Library{
			{Path: "example.org/lib", Importers: []string{"engine/one"}, Why: "one engine is enough"},
			{Path: "golang.org/x/sys", Floor: 1, Why: "the ground is the standard library"},
		},
	}
	sampleTree = map[string]string{
		"go.mod":                       "module m",
		".github/x.go":                 "not Go at all",
		"base/base.go":                 doc + "package base\nimport \"time\"\nconst Tick = time.Second",
		"base/base_test.go":            "package base_test\nimport (_ \"m/engine/two\"; _ \"m/base/basetest\"; _ \"example.org/lib/v2\")",
		"base/basetest/basetest.go":    doc + "package basetest\nimport (_ \"m/base\"; \"time\")\nfunc init() { time.Sleep(1) }",
		"base/testdata/x.go":           "not Go at all",
		"engine/one/one.go":            doc + "package one\nimport (_ \"m/base\"; _ \"example.org/lib\"; _ \"golang.org/x/sys/unix\")",
		"engine/one/one_windows.go":    "//go:build windows\n\npackage one\nimport _ \"example.org/lib/v2\"",
		"engine/one/tool/go.mod":       "module tool",
		"engine/one/tool/x.go":         "not Go at all",
		"engine/two/two.go":            doc + "package two\nfunc (T) init() {}\ntype T struct{}",
		"app/app.go":                   doc + "package app\nimport (_ \"m/engine/one\"; _ \"m/engine/two\"; _ \"m/app/config\")",
		"app/config/config.go":         doc + "package config",
		"test/e2e/e2e_test.go":         doc + "package e2e\nimport (_ \"m/test/peers\"; _ \"m/app\"; _ \"example.org/other\")",
		"test/peers/peers.go":          doc + "package peers\nimport \"time\"\nfunc init() { time.Sleep(1) }",
		"engine/one/testdata/fuzz/log": "x",
	}
)

const doc = "// Package x is a sample.\n"

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		add  map[string]string // replaces files of the sample; an empty one is removed
		want []string
	}{
		{"all is well", nil, nil},
		{
			"stray entries at the top",
			map[string]string{"pkg/x/notes.txt": "x", "TODO": "x"},
			[]string{
				"TODO: has no place at the top level: put it into a family of packages, or list it with its reason",
				"pkg: has no place at the top level: put it into a family of packages, or list it with its reason",
			},
		},
		{
			"unlisted package",
			map[string]string{"engine/three/three.go": doc + "package three\nimport _ \"m/app\""},
			[]string{"engine/three: is on no floor: list it with the others it is like"},
		},
		{
			"listed package that is gone",
			map[string]string{"engine/two/two.go": ""},
			[]string{"engine/two: is listed but does not exist: the list is the map, and must match"},
		},
		{
			"name that says nothing",
			map[string]string{
				"base/util/util.go": doc + "package util",
				"base/base.go":      doc + "package common",
				"base/base_test.go": "",
			},
			[]string{
				"base: is named common: a package is named for what it is",
				"base/util: is on no floor: list it with the others it is like",
				"base/util: is named util: a package is named for what it is",
			},
		},
		{
			"engine imports engine",
			map[string]string{"engine/two/two.go": doc + "package two\n\nimport _ \"m/engine/one\""},
			[]string{"engine/two/two.go:4: imports engine/one on its own floor: engines stand alone"},
		},
		{
			"import of a higher floor, under any build constraint",
			map[string]string{"base/base_plan9.go": "//go:build plan9\n\npackage base\nimport _ \"m/app\""},
			[]string{"base/base_plan9.go:4: imports app, which is 2 up: imports only go down"},
		},
		{
			"the pair counts in one direction",
			map[string]string{"app/config/config.go": doc + "package config\nimport _ \"m/app\""},
			[]string{"app/config/config.go:3: imports app on its own floor: only the app knows everybody"},
		},
		{
			"second importer of a library",
			map[string]string{"engine/two/two.go": doc + "package two\nimport _ \"example.org/lib/v2/sub\""},
			[]string{"engine/two/two.go:3: imports example.org/lib/v2/sub: one engine is enough"},
		},
		{
			"library on the ground floor",
			map[string]string{"base/base.go": doc + "package base\nimport _ \"golang.org/x/sys/unix\""},
			[]string{"base/base.go:3: imports golang.org/x/sys/unix: the ground is the standard library"},
		},
		{
			"library without a rule",
			map[string]string{"app/app.go": doc + "package app\nimport (_ \"example.org/library\"; \"C\")"},
			[]string{
				"app/app.go:3: imports example.org/library: no rule lets anybody; a library comes with its one importer and its reason",
				"app/app.go:3: imports C: no rule lets anybody; a library comes with its one importer and its reason",
			},
		},
		{
			"double outside tests",
			map[string]string{"engine/two/two.go": doc + "package two\nimport _ \"m/base/basetest\""},
			[]string{"engine/two/two.go:3: imports base/basetest: a double stands in for the real thing, in tests only"},
		},
		{
			"import of what lies below test",
			map[string]string{
				"app/app.go":      doc + "package app\nimport _ \"m/test/peers\"",
				"app/app_test.go": "package app_test\nimport _ \"m/test/peers\"",
			},
			[]string{
				"app/app.go:3: imports test/peers: what lies below test is for nobody else",
				"app/app_test.go:2: imports test/peers: what lies below test is for nobody else",
			},
		},
		{
			"package comments",
			map[string]string{
				"base/base.go":           "//go:generate stringer\npackage base",
				"base/base_test.go":      doc + "package base_test",
				"engine/one/one_unix.go": doc + "package one",
				"test/e2e/e2e_test.go":   "package e2e",
			},
			[]string{
				"base: has 0 package comments: exactly one says what it is, who uses it and what it does not know",
				"engine/one: has 2 package comments: exactly one says what it is, who uses it and what it does not know",
				"test/e2e: has 0 package comments: exactly one says what it is, who uses it and what it does not know",
			},
		},
		{
			"sleep and init",
			map[string]string{
				"app/app.go": doc + "package app\nimport clock \"time\"\nfunc init() {\n\tclock.Sleep(clock.Second)\n}",
			},
			[]string{
				"app/app.go:5: calls time.Sleep: nothing can cancel it; select on a timer and the context",
				"app/app.go:4: has an init function: importing a package does nothing; a constructor does",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := maps.Clone(sampleTree)
			maps.Copy(files, tt.add)
			tree := fstest.MapFS{}
			for name, text := range files {
				if text != "" {
					tree[name] = &fstest.MapFile{Data: []byte(text)}
				}
			}
			got, err := Check(tree, sampleRules)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestCheckCannotReadGo(t *testing.T) {
	tree := fstest.MapFS{"base/base.go": &fstest.MapFile{Data: []byte("package")}}
	if problems, err := Check(tree, sampleRules); err == nil {
		t.Errorf("no error, problems %q", problems)
	}
}
