package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"sluice/drivers/modbus"
)

// Text returns the scalar exactly as written, whatever a YAML decoder would
// make of it: 8E1 stays 8E1.
func (n Node) Text() string {
	n.shape.unlimited(Text, "")
	return n.text()
}

// Matching is Text for what has a form of its own, which editors are told: pattern
// is what every text in it matches, as JavaScript and Go both read it. It is the
// caller who judges the text.
func (n Node) Matching(pattern string) string {
	n.shape.matching(pattern)
	return n.text()
}

func (n Node) text() string {
	y := n.resolved()
	if y == nil {
		return ""
	}
	if y.Kind != yaml.ScalarNode {
		n.Problem("write one value", "must be a single value, not %s", kind(y))
		return ""
	}
	return y.Value
}

// idPattern is what an id may look like: it becomes a topic level, a file name
// and a metric label.
var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ID returns an id: 1 to 64 lower-case letters, digits, "-" and "_", the first
// a letter or digit.
func (n Node) ID() string {
	n.shape.unlimited(ID, "")
	s := n.text()
	if s == "" || idPattern.MatchString(s) {
		return s
	}
	fix := "use lower-case letters, digits, \"-\" and \"_\" (64 at most)"
	if near := slug(s); near != "" {
		fix = "write " + near
	}
	n.Problem(fix, "%q cannot be used as an id: it becomes part of MQTT topics", s)
	return ""
}

// slug turns a name into the nearest allowed id.
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r == ' ', r == '.', r == '/', r == ':':
			return '-'
		}
		return -1
	}, strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "å", "a", "ø", "o", "é", "e", "è", "e").Replace(strings.ToLower(s)))
	s = strings.Trim(s, "-_")
	return s[:min(len(s), 64)]
}

// Bool returns a truth value, and fallback where none is given.
func (n Node) Bool(fallback bool) bool {
	n.shape.scalar(Bool, 0, 0, strconv.FormatBool(fallback))
	switch s := n.text(); strings.ToLower(s) {
	case "":
		return fallback
	case "true", "yes", "on":
		return true
	case "false", "no", "off":
		return false
	default:
		n.Problem("write true or false", "%q is neither true nor false", s)
		return fallback
	}
}

// Int returns a whole number from lo to hi, and fallback where none is given.
func (n Node) Int(lo, hi, fallback int) int {
	n.shape.integer(lo, hi, fallback)
	s := n.text()
	if s == "" {
		return fallback
	}
	i, err := parseInt(s)
	if err != nil {
		n.Problem(err.fix, "%s", err.what)
		return fallback
	}
	if i < int64(lo) || i > int64(hi) {
		n.Problem(fmt.Sprintf("write a number from %d to %d", lo, hi), "%s is out of range", s)
		return fallback
	}
	return int(i)
}

// fixable is what is wrong with a text and what to write instead.
type fixable struct{ what, fix string }

func (f *fixable) Error() string { return f.what + "; " + f.fix }

// Fix parts an error of ParseRegister into what is wrong and what to write
// instead; fix is empty where nothing is known.
func Fix(err error) (what, fix string) {
	if f, ok := errors.AsType[*fixable](err); ok {
		return f.what, f.fix
	}
	return err.Error(), ""
}

// parseInt reads a decimal or 0x number. A leading zero is refused because YAML
// parsers disagree about it: 040001 is 16385 to some and 40001 to others.
func parseInt(s string) (int64, *fixable) {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0, &fixable{
			what: fmt.Sprintf("%s has a leading zero: some programs read that as an octal number", s),
			fix:  "write " + cmp.Or(strings.TrimLeft(digits, "0"), "0") + ", or 0x... for a hexadecimal number",
		}
	}
	base, body := 10, s
	if rest, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok && digits == s {
		base, body = 16, rest
	}
	i, err := strconv.ParseInt(body, base, 64)
	if err != nil {
		return 0, &fixable{what: fmt.Sprintf("%q is not a whole number", s), fix: wholeFix(s)}
	}
	return i, nil
}

// wholeFix says what to write for a number with something behind it, with a comma
// between its thousands, or for the format of a line in the place of its speed.
func wholeFix(s string) string {
	if _, _, _, err := modbus.ParseFormat(s); err == nil {
		return "write the speed here, e.g. 9600, and format: " + s
	}
	digits := strings.ReplaceAll(s, ",", "")
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, "0123456789"))]
	if len(digits) < 2 || digits[0] == '0' || strings.ContainsAny(s, "x.") {
		return "write digits only, e.g. 17 or 0x11"
	}
	return "write " + digits
}

// number returns a finite decimal number, and fallback where none is given.
func (n Node) number(fallback float64) float64 {
	n.shape.number(fallback)
	s := n.text()
	if s == "" {
		return fallback
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || strings.ContainsAny(s, "xX_") {
		n.Problem(numberFix(s), "%q is not a number", s)
		return fallback
	}
	return f
}

// numberFix says how a fraction, or a number with a decimal comma, is written.
func numberFix(s string) string {
	above, below, _ := strings.Cut(strings.ReplaceAll(s, ",", "."), "/")
	if below == "" {
		below = "1"
	}
	a, err := strconv.ParseFloat(above, 64)
	b, errBelow := strconv.ParseFloat(below, 64)
	if quotient := a / b; err == nil && errBelow == nil && !math.IsInf(quotient, 0) && !math.IsNaN(quotient) {
		return "write " + strconv.FormatFloat(quotient, 'g', -1, 64)
	}
	return "write a number with a decimal point, e.g. 0.1"
}

// Duration returns a time from lo to hi such as "500ms", "5s" or "10m", and
// fallback where none is given.
func (n Node) Duration(lo, hi, fallback time.Duration) time.Duration {
	n.shape.duration(lo, hi, fallback)
	s := n.text()
	if s == "" {
		return fallback
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		if i, convErr := strconv.Atoi(days); convErr == nil && i <= 36500 {
			d, err = time.Duration(i)*24*time.Hour, nil
		}
	}
	switch {
	case err != nil && strings.Trim(s, "0123456789.") == "":
		n.Problem(durationFix(s, lo, hi), "%q has no unit of time", s)
	case err != nil:
		n.Problem(durationFix(s, lo, hi), "%q is not a time", s)
	case d < lo || d > hi:
		n.Problem(fmt.Sprintf("write a time from %s to %s", FormatDuration(lo), FormatDuration(hi)), "%s is out of range", s)
	default:
		return d
	}
	return fallback
}

// durationFix says what to write for a time without a unit, or with a unit as
// people abbreviate it: what is from lo to hi of that.
func durationFix(s string, lo, hi time.Duration) string {
	number := strings.TrimRight(s, " abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	word := strings.ToLower(strings.TrimSpace(s[len(number):]))
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		return "write a number and a unit: 500ms, 5s, 10m, 1h, 7d"
	}
	var meant []string
	for _, unit := range []struct{ ours, others string }{
		{"s", " s sec secs second seconds "}, {"ms", " ms msec msecs millisecond milliseconds "}, {"m", " min mins minute minutes "},
		{"h", " hr hrs hour hours "}, {"d", " day days "},
	} {
		d, err := time.ParseDuration(number + strings.Replace(unit.ours, "d", "h", 1))
		bare := word == "" && (unit.ours == "s" || unit.ours == "ms")
		if bare && err == nil && d >= lo && d <= hi || word != "" && strings.Contains(unit.others, " "+word+" ") {
			meant = append(meant, number+unit.ours)
		}
	}
	if len(meant) == 0 {
		return fmt.Sprintf("write a number and a unit, from %s to %s", FormatDuration(lo), FormatDuration(hi))
	}
	return "write " + strings.Join(meant, " or ")
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// FormatDuration writes a time as the site file does, without zero parts: 5m,
// not 5m0s.
func FormatDuration(d time.Duration) string {
	if d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// sizeUnits are the units of sizes, the largest first: of 1024 as computers
// count, of 1000 as vendors of cards do.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

// Size returns a number of bytes from lo to hi such as "64MB" or "2GB", and
// fallback where none is given.
func (n Node) Size(lo, hi, fallback int64) int64 {
	n.shape.size(lo, hi, fallback)
	s := n.text()
	if s == "" {
		return fallback
	}
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(strings.ToUpper(s), strings.ToUpper(u.name))
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(f) || f < 0 {
			break
		}
		if size := f * float64(u.bytes); size >= float64(lo) && size <= float64(hi) {
			return int64(size)
		}
		n.Problem(fmt.Sprintf("write a size from %s to %s", FormatSize(lo), FormatSize(hi)), "%s is out of range", s)
		return fallback
	}
	fix := "write a number and a unit: 64MB, 2GB"
	if bytes, err := strconv.ParseInt(s, 10, 64); err == nil && bytes >= lo && bytes <= hi {
		fix = "write " + FormatSize(bytes)
	}
	n.Problem(fix, "%q is not a size", s)
	return fallback
}

// FormatSize writes a number of bytes as the site file does.
func FormatSize(bytes int64) string {
	for _, u := range sizeUnits {
		if bytes >= u.bytes && bytes%u.bytes == 0 {
			return fmt.Sprintf("%d%s", bytes/u.bytes, u.name)
		}
	}
	return "0B"
}

// Choice returns one of the given words, and the first where none is given.
func (n Node) Choice(words ...string) string {
	n.shape.scalar(Choice, 0, 0, words[0], words...)
	s := n.text()
	if s == "" {
		return words[0]
	}
	if contains(words, s) {
		return s
	}
	fix := "write one of " + list(words)
	if near := nearest(s, words); near != "" {
		fix = "did you mean \"" + near + "\"?"
	}
	n.Problem(fix, "%q is not known here", s)
	return words[0]
}
