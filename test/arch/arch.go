// Package arch holds the repository to its architecture: which package may
// import which, who may use a library, where code may lie and what it must not
// contain. The rules are data with a reason beside each; a broken rule is a
// failing test that quotes the reason.
package arch

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Rules is what Check holds a tree to.
type Rules struct {
	Module    string // the path that imports of its own packages begin with
	Top       []Top
	Floors    []Floor // lowest first; a package imports only from lower floors
	Beside    []Pair  // imports on one floor that are wanted all the same
	Libraries []Library
}

// Top lists entries that may lie at the top of the tree, as patterns of path.Match.
type Top struct {
	Why   string
	Names []string
}

// Floor lists packages, by folder. Folders below test and doubles are on none.
type Floor struct {
	Why      string // they do not import each other
	Packages []string
}

// Pair lets From import To, on the same floor.
type Pair struct{ From, To, Why string }

// Library lets packages import a module that is not ours: the Importers, or every
// package from Floor up when none are named. Tests are free to use any.
type Library struct {
	Path      string
	Importers []string
	Floor     int
	Why       string
}

// badNames say nothing about what a package is for, and so collect everything.
var badNames = [...]string{"util", "utils", "common", "helper", "helpers", "types", "manager", "misc"}

// Check returns what in fsys, a Go module, breaks the rules: a line each, with
// the place and the reason.
func Check(fsys fs.FS, rules Rules) ([]string, error) {
	packages, err := parse(fsys)
	if err != nil {
		return nil, err
	}
	top, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	c := &checker{rules: rules}
	for _, e := range top {
		c.topLevel(e.Name())
	}
	c.missing(packages)
	for _, p := range packages {
		c.pkg(p)
	}
	return c.problems, nil
}

type checker struct {
	rules    Rules
	problems []string
}

func (c *checker) report(where, format string, args ...any) {
	c.problems = append(c.problems, where+": "+fmt.Sprintf(format, args...))
}

func (c *checker) topLevel(name string) {
	for _, t := range c.rules.Top {
		for _, pattern := range t.Names {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				return
			}
		}
	}
	c.report(name, "has no place at the top level: put it into a family of packages, or list it with its reason")
}

func (c *checker) missing(packages []pkg) {
	for _, f := range c.rules.Floors {
		for _, dir := range f.Packages {
			if !slices.ContainsFunc(packages, func(p pkg) bool { return p.dir == dir }) {
				c.report(dir, "is listed but does not exist: the list is the map, and must match")
			}
		}
	}
}

func (c *checker) pkg(p pkg) {
	if _, ok := c.floor(p.dir); !ok && !isTest(p.dir) {
		c.report(p.dir, "is on no floor: list it with the others it is like")
	}
	for _, name := range badNames {
		if path.Base(p.dir) == name || p.name == name {
			c.report(p.dir, "is named %s: a package is named for what it is", name)
			break
		}
	}
	if n := p.comments(); n != 1 {
		c.report(p.dir, "has %d package comments: exactly one says what it is, who uses it and what it does not know", n)
	}
	for _, f := range p.files {
		c.file(p, f)
	}
}

func (c *checker) file(p pkg, f file) {
	free := f.test || isTest(p.dir) || c.isDouble(p.dir)
	for _, i := range f.imports {
		switch to, ours := strings.CutPrefix(i.path, c.rules.Module+"/"); {
		case ours && isTest(to) && !isTest(p.dir):
			c.report(i.pos, "imports %s: what lies below test is for nobody else", to)
		case free:
		case ours:
			c.inside(p.dir, to, i.pos)
		default:
			c.library(p.dir, i)
		}
	}
	if free {
		return
	}
	for _, pos := range f.sleeps {
		c.report(pos, "calls time.Sleep: nothing can cancel it; select on a timer and the context")
	}
	for _, pos := range f.inits {
		c.report(pos, "has an init function: importing a package does nothing; a constructor does")
	}
}

// inside checks an import of one of our own packages.
func (c *checker) inside(from, to, pos string) {
	floor, listed := c.floor(from)
	below, known := c.floor(to)
	switch {
	case c.isDouble(to):
		c.report(pos, "imports %s: a double stands in for the real thing, in tests only", to)
	case !listed || !known || below < floor:
	case below > floor:
		c.report(pos, "imports %s, which is %d up: imports only go down", to, below-floor)
	case !slices.ContainsFunc(c.rules.Beside, func(p Pair) bool { return p.From == from && p.To == to }):
		c.report(pos, "imports %s on its own floor: %s", to, c.rules.Floors[floor].Why)
	}
}

// library checks an import of what is not ours. The standard library has no dot
// in its first element.
func (c *checker) library(from string, i use) {
	first, _, _ := strings.Cut(i.path, "/")
	if i.path != "C" && !strings.Contains(first, ".") {
		return
	}
	for _, l := range c.rules.Libraries {
		if i.path != l.Path && !strings.HasPrefix(i.path, l.Path+"/") {
			continue
		}
		if floor, ok := c.floor(from); slices.Contains(l.Importers, from) || l.Importers == nil && ok && floor >= l.Floor {
			return
		}
		c.report(i.pos, "imports %s: %s", i.path, l.Why)
		return
	}
	c.report(i.pos, "imports %s: no rule lets anybody; a library comes with its one importer and its reason", i.path)
}

// floor returns the floor of the package in dir.
func (c *checker) floor(dir string) (int, bool) {
	if c.isDouble(dir) {
		dir = path.Dir(dir)
	}
	i := slices.IndexFunc(c.rules.Floors, func(f Floor) bool { return slices.Contains(f.Packages, dir) })
	return i, i >= 0
}

// isDouble reports whether dir holds the test double of the package above it, as
// gateway/durable/durabletest does.
func (c *checker) isDouble(dir string) bool {
	above := path.Dir(dir)
	return path.Base(dir) == path.Base(above)+"test" &&
		slices.ContainsFunc(c.rules.Floors, func(f Floor) bool { return slices.Contains(f.Packages, above) })
}

func isTest(dir string) bool { return dir == "test" || strings.HasPrefix(dir, "test/") }
