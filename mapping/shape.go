package mapping

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shape is what a reader takes at one place of a site file. It is recorded while
// a file is read, by the very calls that read it, so it cannot say anything else
// than the reader does: see File.Describe. The methods of a nil Shape do nothing.
type Shape struct {
	Keys   map[string]*Shape // of a mapping with keys of ours
	Free   *Shape            // the values of a mapping whose keys are the user's; nil: there is none
	Items  *Shape            // of a list; nil: none stands here
	Scalar *Scalar           // nil: no single value stands here
	Doc    string            // the comment beside the key
	Given  bool              // whether the file that was read has the key

	visits int            // how often a mapping was read here
	needs  map[string]int // how often a key was needed then
}

// Scalar is a single value: its form, its limits and what holds without it.
type Scalar struct {
	Form     Form
	Min, Max float64  // of an Int or Number; of a Duration in seconds, of a Size in bytes
	Words    []string // of a Choice, the first is the default
	Default  string   // as a site file has it; empty: none, or it depends
	Pattern  string   // of a Text: a regular expression; empty for none
}

// Form is how a single value is written.
type Form uint8

// The forms of single values. A Text may be anything that stands on one line.
const (
	Text Form = iota
	ID
	Bool
	Int
	Number
	Duration
	Size
	Choice
)

// Describe has the file record the shape of what is read from it. Call it before
// Root.
func (f *File) Describe() *Shape {
	f.shape = &Shape{}
	return f.shape
}

// Required reports whether a mapping was never read here without asking for the
// key.
func (s *Shape) Required(key string) bool { return s.visits > 0 && s.needs[key] == s.visits }

// mapping records that a mapping with these keys is read.
func (s *Shape) mapping(keys []string) {
	if s == nil {
		return
	}
	if s.Keys == nil {
		s.Keys, s.needs = map[string]*Shape{}, map[string]int{}
	}
	s.visits++
	for _, k := range keys {
		if s.Keys[k] == nil {
			s.Keys[k] = &Shape{}
		}
	}
}

func (s *Shape) key(name string) *Shape {
	if s == nil {
		return nil
	}
	return s.Keys[name]
}

// given records that the key stands in the file, and the comment beside it.
func (s *Shape) given(comment string) {
	if s == nil {
		return
	}
	s.Given = true
	if s.Doc == "" {
		s.Doc = comment
	}
}

func (s *Shape) needed(key string) {
	if s != nil {
		s.needs[key]++
	}
}

func (s *Shape) items() *Shape {
	if s == nil {
		return nil
	}
	if s.Items == nil {
		s.Items = &Shape{}
	}
	return s.Items
}

func (s *Shape) free() *Shape {
	if s == nil {
		return nil
	}
	if s.Free == nil {
		s.Free = &Shape{}
	}
	return s.Free
}

// borrow has a mapping take the keys of another one besides its own, those given
// or all. None of them is required there.
func (s *Shape) borrow(of *Shape, keys ...string) {
	if s == nil || of == nil {
		return
	}
	if s.Keys == nil {
		s.Keys, s.needs = map[string]*Shape{}, map[string]int{}
	}
	for key, shape := range of.Keys {
		if len(keys) == 0 || slices.Contains(keys, key) {
			s.Keys[key] = shape
		}
	}
}

// scalar records that a single value is read. Where values of several forms are
// read, all of them may stand; Text covers every other.
func (s *Shape) scalar(form Form, lo, hi float64, fallback string, words ...string) {
	if s == nil {
		return
	}
	was := s.Scalar
	if was == nil {
		s.Scalar = &Scalar{Form: form, Min: lo, Max: hi, Default: fallback, Words: words}
		return
	}
	was.Pattern = ""
	if was.Default != fallback {
		was.Default = ""
	}
	if was.Form != form {
		was.Form = Text
		return
	}
	was.Min, was.Max = min(was.Min, lo), max(was.Max, hi)
	for _, w := range words {
		if !slices.Contains(was.Words, w) {
			was.Words = append(slices.Clip(was.Words), w)
		}
	}
}

// unlimited records a single value without limits.
func (s *Shape) unlimited(form Form, fallback string) {
	s.scalar(form, math.Inf(-1), math.Inf(1), fallback)
}

// choice records one of many words.
func (s *Shape) choice(fallback string, words func() []string) {
	if s != nil {
		s.scalar(Choice, 0, 0, fallback, words()...)
	}
}

// matching records a text of a form of its own.
func (s *Shape) matching(pattern string) {
	if s == nil {
		return
	}
	only := s.Scalar == nil || s.Scalar.Pattern == pattern
	s.unlimited(Text, "")
	if only {
		s.Scalar.Pattern = pattern
	}
}

func (s *Shape) duration(lo, hi, fallback time.Duration) {
	if s != nil {
		s.scalar(Duration, lo.Seconds(), hi.Seconds(), FormatDuration(fallback))
	}
}

func (s *Shape) size(lo, hi, fallback int64) {
	if s != nil {
		s.scalar(Size, float64(lo), float64(hi), FormatSize(fallback))
	}
}

// integer records a whole number; a fallback below lo stands for "not given".
func (s *Shape) integer(lo, hi, fallback int) {
	if s == nil {
		return
	}
	stated := ""
	if fallback >= lo {
		stated = strconv.Itoa(fallback)
	}
	s.scalar(Int, float64(lo), float64(hi), stated)
}

// number records a number; an infinite fallback stands for "not given".
func (s *Shape) number(fallback float64) {
	if s == nil {
		return
	}
	stated := ""
	if !math.IsInf(fallback, 0) {
		stated = strconv.FormatFloat(fallback, 'g', -1, 64)
	}
	s.unlimited(Number, stated)
}

// comment returns what stands behind # on a line, and on those below it that go
// on with the comment: with nothing before the # and three spaces behind.
func (f *File) comment(line int) string {
	if line < 1 || line > len(f.lines) {
		return ""
	}
	at := commentStart(f.lines[line-1])
	if at < 0 {
		return ""
	}
	words := []string{f.lines[line-1][at+1:]}
	for _, next := range f.lines[line:] {
		more, ok := strings.CutPrefix(strings.TrimSpace(next), "#   ")
		if !ok {
			break
		}
		words = append(words, more)
	}
	text := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	return strings.TrimSpace(strings.TrimPrefix(text, "*"))
}

// commentStart returns where the comment of a line of YAML begins, -1 where none
// does.
func commentStart(line string) int {
	quote := byte(0)
	for i := range len(line) {
		switch c := line[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return i
		}
	}
	return -1
}
