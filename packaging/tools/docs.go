package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// writeDocs makes the files that nobody writes by hand: changelog, manual page and
// the licences of all that is linked into the program, which ask to be passed on.
func writeDocs(r *release, made string) error {
	page, err := os.ReadFile(filepath.Join(r.repo, "packaging/sluice.1"))
	if err != nil {
		return err
	}
	notices, err := notices(r)
	if err != nil {
		return err
	}
	changes := fmt.Sprintf("sluice (%s) unstable; urgency=medium\n\n  * Built from %s.\n\n -- The Sluice authors <sluice@example.org>  %s\n",
		r.version.tilde(), origin(r), r.time.Format(time.RFC1123Z))
	for name, content := range map[string][]byte{
		"sluice.1":     page,
		"sluice.1.gz":  zipped(page),
		"changelog.gz": zipped([]byte(changes)),
		"copyright":    notices,
	} {
		if err := os.WriteFile(filepath.Join(made, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// origin says what a release was built from.
func origin(r *release) string {
	if r.commit == "" {
		return "a tree without history"
	}
	return "commit " + r.commit
}

// zipped compresses in the form that has no name and no time in it.
func zipped(content []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // fails for unknown levels alone
	w.Write(content)                                        // a buffer takes everything
	w.Close()
	return out.Bytes()
}

// notices collects the licences of Go and of every module in the program.
func notices(r *release) ([]byte, error) {
	dirs, err := moduleDirs(r.repo)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("Sluice is Copyright 2026 the Sluice authors.\n\nThe program contains the libraries below, under their licences.\n")
	for _, m := range r.modules {
		if err := licences(&out, m.Path+" "+m.Version, dirs[m.Path]); err != nil {
			return nil, err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	return out.Bytes(), licences(&out, "the Go library and run time, "+r.goLang, strings.TrimSpace(string(root)))
}

// moduleDirs is where the modules of the program are on this machine, by path.
func moduleDirs(repo string) (map[string]string, error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Dir}}", "all")
	list.Dir, list.Stderr = repo, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list modules: %w", err)
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		dirs[path] = dir
	}
	return dirs, nil
}

// licences appends the licence files of a folder. A library without one must not be
// passed on.
func licences(out *bytes.Buffer, name, dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("find the licence of %s: %w", name, err)
	}
	found := false
	for _, f := range files {
		kind, _, _ := strings.Cut(strings.ToUpper(f.Name()), ".")
		if f.IsDir() || !slices.Contains([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE"}, kind) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s\n%s, %s\n\n%s\n", strings.Repeat("-", 80), name, f.Name(), bytes.TrimSpace(text))
		found = true
	}
	if !found {
		return fmt.Errorf("%s has no licence in %s", name, dir)
	}
	return nil
}
