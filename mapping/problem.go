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
	File   string
	Line   int    // from 1; 0 when the problem is the file itself
	Column int    // from 1, in characters
	Source string // the line as written
	What   string // e.g. `point "feed-temp": register "input 40007": 4xxxx numbers are holding registers`
	Fix    string // e.g. `write "holding 40007" or "input 30007"`; empty when What says it
}

// String returns the place and the mistake on one line.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.What)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.What)
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

// Problems is every mistake found in a site file, an error if there is one.
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
	noun := "problems"
	if len(ps) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&b, "%d %s", len(ps), noun)
	return b.String()
}

// Err returns the problems in the order of the file as an error, nil when there
// are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}
