package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// shownProblems is how many problems a report lists; a file with more is
// usually wrong in one place that repeats.
const shownProblems = 50

// Problem is one mistake in a site file: where it is, what is wrong, and what
// to type instead.
type Problem struct {
	File    string
	Line    int    // from 1; 0 when the problem is the file itself
	Column  int    // from 1, in characters
	Source  string // the line as written
	What    string // e.g. `point "feed-temp": register "input 40007": 4xxxx numbers are holding registers`
	Fix     string // e.g. `write "holding 40007" or "input 30007"`; empty when What says it
	Warning bool   // the site can be run, but probably not as it is meant
}

// String returns the place and the mistake on one line.
func (p Problem) String() string {
	what := p.What
	if p.Warning {
		what = "warning: " + what
	}
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, what)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, what)
}

// Excerpt returns the source line with a caret under the mistake and the fix,
// ready to print below String; each line ends in a newline.
func (p Problem) Excerpt() string {
	var b strings.Builder
	if p.Line > 0 {
		number := fmt.Sprintf("%5d", p.Line)
		fmt.Fprintf(&b, "%s | %s\n", number, strings.ReplaceAll(p.Source, "\t", " "))
		fmt.Fprintf(&b, "%s | %s^\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", max(p.Column-1, 0)))
	}
	if p.Fix != "" {
		fmt.Fprintf(&b, "      fix: %s\n", p.Fix)
	}
	return b.String()
}

// Problems is what is wrong with a site file, an error if any of it is more than
// a warning.
type Problems []Problem

// Error returns the whole report: each problem with its source line and fix, in
// the order of the file, and a closing count.
func (ps Problems) Error() string {
	var b strings.Builder
	for _, p := range ps[:min(len(ps), shownProblems)] {
		fmt.Fprintf(&b, "%s\n%s", p, p.Excerpt())
	}
	if more := len(ps) - shownProblems; more > 0 {
		fmt.Fprintf(&b, "and %d more\n", more)
	}
	var counts []string
	errors := ps.Errors()
	for _, c := range []struct {
		n    int
		noun string
	}{{errors, "problem"}, {len(ps) - errors, "warning"}} {
		switch {
		case c.n == 1:
			counts = append(counts, "1 "+c.noun)
		case c.n > 1:
			counts = append(counts, fmt.Sprintf("%d %ss", c.n, c.noun))
		}
	}
	return b.String() + strings.Join(counts, ", ")
}

// Errors returns how many of the problems are not warnings.
func (ps Problems) Errors() int {
	n := 0
	for _, p := range ps {
		if !p.Warning {
			n++
		}
	}
	return n
}

// Err returns the problems in the order of the file as an error, nil when there
// are none but warnings.
func (ps Problems) Err() error {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if ps.Errors() == 0 {
		return nil
	}
	return ps
}
