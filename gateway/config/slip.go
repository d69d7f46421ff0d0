package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxSlips is how many slips of syntax are looked for; those further down are
// often the consequence of the first.
const maxSlips = 10

// slip is one mistake in the syntax of a file.
type slip struct {
	line, column int // from 1, in characters
	what, fix    string
}

// finder goes through text that is not YAML and finds where people slip: it knows
// the part of YAML that site files are written in.
type finder struct {
	slips  []slip
	number int // of the line, from 1
	raw    string
	levels []level
	opened bool // the line before ends where something must follow, deeper
	inside bool // a block of text, of lines deeper than level
	level  int
	open   []bracket // not closed yet
}

// level is an indentation at which lines stand.
type level struct {
	column int
	item   bool // behind dashes, else keys
}

// bracket is a [ or { that was opened.
type bracket struct {
	char         byte
	line, column int
	indent       int // of the line
	colon        bool
}

// findSlips returns the slips of syntax in a file, in its order.
func findSlips(text string) []slip {
	f := &finder{}
	for line := range strings.Lines(text) {
		f.number++
		f.raw = strings.TrimRight(line, " \t\r\n")
		f.line()
		if len(f.slips) >= maxSlips {
			return f.slips
		}
	}
	f.unclosed()
	return f.slips
}

// add notes a slip at an offset of the line.
func (f *finder) add(at int, fix, format string, args ...any) {
	f.slips = append(f.slips, slip{f.number, utf8.RuneCountInString(f.raw[:at]) + 1, fmt.Sprintf(format, args...), fix})
}

func (f *finder) line() {
	content := strings.TrimLeft(f.raw, " \t")
	indent := len(f.raw) - len(content)
	switch tab := strings.IndexByte(f.raw[:indent], '\t'); {
	case content == "" || content[0] == '#':
		return
	case f.inside && indent > f.level:
		return
	case tab >= 0 && len(f.open) == 0:
		f.add(tab, "indent with spaces: YAML takes no tabs, because editors show them differently", "a tab in the indentation")
		return
	case content == "---" || content == "..." || content[0] == '%' && indent == 0:
		f.levels, f.opened = nil, false
		return
	}
	f.inside = false
	if len(f.open) > 0 {
		if indent > f.open[0].indent || keyEnd(content) < 0 {
			f.flow(indent)
			return
		}
		f.unclosed()
	}
	f.block(indent)
}

// unclosed notes brackets that are open where they cannot be.
func (f *finder) unclosed() {
	for _, b := range f.open {
		f.slips = append(f.slips, slip{b.line, b.column, fmt.Sprintf("this %c is never closed", b.char), fmt.Sprintf("close it with %c", closing(b.char))})
	}
	f.open = nil
}

// block reads a line of keys and dashes that begins at an offset.
func (f *finder) block(indent int) {
	at := indent
	for at < len(f.raw) && f.raw[at] == '-' && (at+1 == len(f.raw) || f.raw[at+1] == ' ') {
		f.place(level{at, true})
		f.opened = true
		at += len(f.raw[at:]) - len(strings.TrimLeft(f.raw[at+1:], " "))
	}
	if at == len(f.raw) || f.raw[at] == '#' {
		return
	}
	colon := keyEnd(f.raw[at:])
	switch {
	case colon < 0 && at > indent:
		f.opened = false
		f.value(at)
		return
	case colon < 0:
		f.noKey(at)
		return
	}
	f.place(level{at, false})
	value := at + colon + 1
	value += len(f.raw[value:]) - len(strings.TrimLeft(f.raw[value:], " \t"))
	f.opened = value == len(f.raw) || f.raw[value] == '#'
	if !f.opened {
		f.value(value)
	}
}

// noKey looks at a line without a key: the rest of a text, or a slip.
func (f *finder) noKey(at int) {
	rest := f.raw[at:]
	switch colon := strings.IndexByte(rest, ':'); {
	case f.opened:
		f.opened = false
		f.value(at)
	case len(f.levels) > 0 && at > f.levels[len(f.levels)-1].column:
	case colon > 0:
		f.add(at+colon+1, "write "+rest[:colon]+": "+rest[colon+1:], "no space behind the colon")
	default:
		f.add(at, "write it as key: value, or as an item of a list behind \"- \"", "%q is neither a key nor an item", rest)
	}
}

// place checks the indentation of a key or a dash.
func (f *finder) place(l level) {
	deepest := len(f.levels)
	for len(f.levels) > 0 && f.levels[len(f.levels)-1].column > l.column {
		f.levels = f.levels[:len(f.levels)-1]
	}
	left := len(f.levels) < deepest
	top := level{column: -1}
	if len(f.levels) > 0 {
		top = f.levels[len(f.levels)-1]
	}
	switch {
	case top == l:
		return
	case top.column == l.column && !l.item: // keys behind the list of a key that stands as far left
		f.levels = f.levels[:len(f.levels)-1]
		if len(f.levels) == 0 || f.levels[len(f.levels)-1] != l {
			f.add(l.column, "indent it as the keys of the item above, or begin it with \"- \"", "a key beside the items of a list")
		} else {
			return
		}
	case top.column == l.column && !f.opened:
		f.add(l.column, "indent it below its key", "an item of a list beside keys")
	case left:
		f.add(l.column, "indent it as the lines it belongs to", "the indentation of %d fits none of the lines above: those have %s", l.column, f.columns(deepest))
	case top.column >= 0 && !f.opened:
		f.add(l.column, fmt.Sprintf("indent it by %d, as the line above, or take the value above away", top.column), "indented deeper than the line above, which has a value already")
	}
	f.levels = append(f.levels, l)
}

// columns lists the indentations in use, among them those just left.
func (f *finder) columns(deepest int) string {
	var words []string
	for _, l := range f.levels[:deepest] {
		if w := fmt.Sprint(l.column); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// keyEnd returns the offset of the colon behind a key at the beginning of s, -1 if
// there is none.
func keyEnd(s string) int {
	if s[0] == '"' || s[0] == '\'' {
		end := strings.IndexByte(s[1:], s[0]) + 2
		if end > 1 && strings.HasPrefix(s[end:], ":") {
			return end
		}
		return -1
	}
	if strings.IndexByte("{[|>%@`", s[0]) >= 0 {
		return -1
	}
	return plainColon(s)
}

// plainColon returns the offset of the first colon that ends a key in text without
// quotes, -1 if there is none.
func plainColon(s string) int {
	for i := range len(s) {
		switch {
		case s[i] == '#' && i > 0 && s[i-1] == ' ':
			return -1
		case s[i] == ':' && (i+1 == len(s) || s[i+1] == ' ' || s[i+1] == '\t'):
			return i
		}
	}
	return -1
}
