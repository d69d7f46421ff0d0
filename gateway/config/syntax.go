package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// reportSyntax reports why text is not YAML. The library stops at the first error
// and names a line near it at best, so the slips that people make are looked for
// here, all of them; its own words are the last resort.
func reportSyntax(file *mapping.File, text []byte, err error) {
	slips := foreignBytes(string(text))
	if len(slips) == 0 {
		slips = findSlips(string(text))
	}
	for _, s := range slips {
		file.Report(s.line, s.column, "not valid YAML: "+s.what, s.fix)
	}
	if len(slips) == 0 {
		reportLibrary(file, err)
	}
}

// syntaxError is how the YAML library words its errors.
var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// reportLibrary gives an error of the YAML library a place in the file.
func reportLibrary(file *mapping.File, err error) {
	if types, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, e := range types.Errors {
			reportLibrary(file, errors.New("yaml: "+e))
		}
		return
	}
	line, what := 0, err.Error()
	fix := "check indentation, brackets and quotes of this line and of those above"
	if m := syntaxError.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	if name, ok := strings.CutPrefix(what, "unknown anchor "); ok {
		what, fix = "nothing is called "+strings.TrimSuffix(name, " referenced"), "define it by & before it is used by *, or put the text in quotes"
	}
	file.Report(line, 1, "not valid YAML: "+what, fix)
}

// foreignBytes finds lines that are not UTF-8, or hold control characters: what
// editors on Windows and copying from manuals leave behind.
func foreignBytes(text string) []slip {
	var slips []slip
	line, column := 1, 0
	for i, r := range text {
		column++
		_, size := utf8.DecodeRuneInString(text[i:])
		s := slip{line: line, column: column}
		switch {
		case r == '\n':
			line, column = line+1, 0
			continue
		case r == utf8.RuneError && size == 1:
			s.what, s.fix = fmt.Sprintf("byte 0x%02x is not UTF-8", text[i]), "save the file as UTF-8; ° and µ are two bytes there"
		case unicode.IsControl(r) && !strings.ContainsRune("\t\r\u0085", r):
			s.what, s.fix = fmt.Sprintf("control character 0x%02x", r), "delete it; many editors do not show it"
		default:
			continue
		}
		if slips = append(slips, s); len(slips) == maxSlips {
			break
		}
	}
	return slips
}
