package config

import (
	"fmt"
	"strings"
)

// value looks at a value that begins at an offset of the line.
func (f *finder) value(at int) {
	rest := f.raw[at:]
	switch c := rest[0]; {
	case c == '|' || c == '>':
		f.inside, f.level = true, f.levels[len(f.levels)-1].column
	case c == '"' || c == '\'':
		if end := f.quoted(at); end > 0 {
			f.behindQuote(at, end)
		}
	case c == '{' || c == '[':
		f.flow(at)
	case c == '-' && len(rest) > 1 && rest[1] == ' ':
		f.add(at, "begin the list on a line of its own, below the key", "an item of a list behind a key")
		f.opened = true
	case f.cannotBegin(at):
	default:
		if colon := plainColon(rest); colon >= 0 {
			f.add(at+colon, "put the text in quotes: "+quote(withoutComment(rest)), "a second \": \" on one line")
		}
	}
}

// cannotBegin notes a character with which no text begins unless it is in quotes.
func (f *finder) cannotBegin(at int) bool {
	rest := f.raw[at:]
	end := strings.IndexAny(rest, ",]} ")
	if len(f.open) == 0 || end < 0 {
		end = len(withoutComment(rest))
	}
	switch c := rest[0]; {
	case strings.IndexByte("%@`", c) >= 0, strings.IndexByte("*&", c) >= 0 && (len(rest) == 1 || !isWord(rest[1])):
		f.add(at, "put it in quotes: "+quote(rest[:end]), "text cannot begin with %c", c)
	case strings.IndexByte("]},", c) >= 0:
		f.add(at, "take it out, or put the text in quotes", "%c where a value is expected", c)
	default:
		return false
	}
	return true
}

// quoted returns the offset behind a text in quotes, 0 after noting what is wrong
// with it.
func (f *finder) quoted(at int) int {
	char := f.raw[at]
	for i := at + 1; i < len(f.raw); i++ {
		switch c := f.raw[i]; {
		case c == '\\' && char == '"':
			i++
			if !isEscape(f.raw[i:]) {
				f.add(i-1, "write \\\\ for a backslash, or use single quotes", "%s means nothing in double quotes", f.raw[i-1:min(i+1, len(f.raw))])
				return 0
			}
		case c == char && char == '\'' && i+1 < len(f.raw) && f.raw[i+1] == char:
			i++
		case c == char:
			return i + 1
		}
	}
	f.add(at, fmt.Sprintf("close it with %c on the same line", char), "this %c is never closed", char)
	return 0
}

// isEscape reports whether s may follow a backslash in double quotes (YAML 1.2,
// section 5.7).
func isEscape(s string) bool {
	switch {
	case s == "":
		return false
	case strings.IndexByte("xuU", s[0]) >= 0:
		return len(s) > 1 && strings.IndexByte("0123456789abcdefABCDEF", s[1]) >= 0
	default:
		return strings.IndexByte("0abt\tnvfre \"/\\N_LP", s[0]) >= 0
	}
}

// behindQuote notes text between a closing quote and the end of a value.
func (f *finder) behindQuote(at, end int) {
	rest := strings.TrimLeft(f.raw[end:], " \t")
	if rest == "" || rest[0] == '#' {
		return
	}
	fix := "put all of it in quotes"
	if f.raw[at] == '\'' {
		fix = "write '' for a ' inside single quotes, or use double quotes"
	}
	f.add(end, fix, "text behind the closing %c", f.raw[at])
}

// flow reads lists in [] and mappings in {} from an offset to the end of the line.
func (f *finder) flow(at int) {
	start := at
	fresh := true // a value may begin here
	for at < len(f.raw) {
		switch c := f.raw[at]; {
		case c == '#' && at > 0 && f.raw[at-1] == ' ':
			return
		case c == ' ' || c == '\t':
			at++
			continue
		case c == '{' || c == '[':
			column := len([]rune(f.raw[:at])) + 1
			f.open = append(f.open, bracket{char: c, line: f.number, column: column, indent: len(f.raw) - len(strings.TrimLeft(f.raw, " "))})
			fresh = true
		case c == '}' || c == ']':
			if last := f.open[len(f.open)-1]; c != closing(last.char) {
				f.add(at, fmt.Sprintf("close %c with %c", last.char, closing(last.char)), "%c does not close the %c in column %d", c, last.char, last.column)
				f.open = nil
				return
			}
			if f.open = f.open[:len(f.open)-1]; len(f.open) == 0 {
				f.behindFlow(start, at+1)
				return
			}
			fresh = false
		case c == ',':
			f.open[len(f.open)-1].colon, fresh = false, true
		case (c == '"' || c == '\'') && fresh:
			end := f.quoted(at)
			if end == 0 {
				f.open = nil
				return
			}
			at, fresh = end, false
			continue
		case fresh && f.cannotBegin(at):
			f.open = nil
			return
		case c == ':' && (at+1 == len(f.raw) || strings.IndexByte(" ,]}", f.raw[at+1]) >= 0 || !fresh && f.raw[at-1] == '"'):
			if b := &f.open[len(f.open)-1]; b.colon {
				f.add(at, "put a comma between the two, or the text in quotes", "a second key without a comma before it")
				f.open = nil
				return
			} else {
				b.colon = true
			}
			fresh = true
		default:
			fresh = false
		}
		at++
	}
}

// behindFlow notes text behind the last bracket, as when a topic template is not
// in quotes.
func (f *finder) behindFlow(start, end int) {
	rest := strings.TrimLeft(f.raw[end:], " \t")
	if rest == "" || rest[0] == '#' {
		return
	}
	fix := "take it away, or put all of it in quotes"
	if whole := withoutComment(f.raw[start:]); strings.IndexByte("{[", whole[0]) >= 0 {
		fix = "put the text in quotes: " + quote(whole)
	}
	f.add(end, fix, "text behind the closing %c", f.raw[end-1])
}

func closing(open byte) byte {
	if open == '{' {
		return '}'
	}
	return ']'
}

// quote puts text in quotes of the kind that it does not hold.
func quote(s string) string {
	if strings.ContainsAny(s, `"\`) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + s + `"`
}

func withoutComment(s string) string {
	if i := strings.Index(s, " #"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, " \t")
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}
