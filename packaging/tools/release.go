package main

import (
	"cmp"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"
)

// release is what is packed.
type release struct {
	repo     string
	version  version
	commit   string    // empty when the build was not stamped
	time     time.Time // of the commit: the time of all files
	goLang   string    // the compiler
	programs []program
	modules  []*debug.Module // linked into any program, by path
}

// program is the program for one machine.
type program struct {
	target
	path string
}

// unstamped is the time of files whose program knows no commit.
var unstamped = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newRelease reads in the programs themselves what they were built from.
func newRelease(repo, from string) (*release, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return nil, err
	}
	r := &release{repo: repo}
	for _, t := range targets() {
		path := filepath.Join(from, "sluice-linux-"+t.name)
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err != nil { // a link would be packed as one
			return nil, err
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		if err := r.add(program{t, path}); err != nil {
			return nil, err
		}
	}
	if len(r.programs) == 0 {
		return nil, fmt.Errorf("there is no program in %s: run make cross first", from)
	}
	slices.SortFunc(r.modules, func(a, b *debug.Module) int { return cmp.Compare(a.Path, b.Path) })
	return r, nil
}

// add takes a program into the release. All must be of one build.
func (r *release) add(p program) error {
	info, err := buildinfo.ReadFile(p.path)
	if err != nil {
		return fmt.Errorf("read how %s was built: %w", p.path, err)
	}
	v, commit, at, err := stamp(info)
	if err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	if len(r.programs) == 0 {
		r.version, r.commit, r.time, r.goLang = v, commit, at, info.GoVersion
	}
	if v != r.version || info.GoVersion != r.goLang {
		return fmt.Errorf("%s is version %s by %s, %s is %s by %s: build all anew",
			p.path, v, info.GoVersion, r.programs[0].path, r.version, r.goLang)
	}
	r.programs = append(r.programs, p)
	for _, m := range info.Deps {
		if !slices.ContainsFunc(r.modules, func(k *debug.Module) bool { return k.Path == m.Path }) {
			r.modules = append(r.modules, m)
		}
	}
	return nil
}

// stamp is version, commit and time of a build.
func stamp(info *debug.BuildInfo) (v version, commit string, at time.Time, err error) {
	if v, err = parseVersion(info.Main.Version); err != nil {
		return v, "", at, err
	}
	at = unstamped
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.time":
			if at, err = time.Parse(time.RFC3339, s.Value); err != nil {
				return v, "", at, err
			}
		}
	}
	return v, commit, at.UTC(), nil
}
