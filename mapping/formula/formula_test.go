package formula_test

import (
	"strings"
	"testing"

	"sluice/mapping/formula"
	"sluice/mapping/point"
)

var kinds = map[string]point.Kind{"voltage-l1": point.Float, "current": point.Uint, "door": point.Bool, "mode": point.Text, "a_b": point.Float, "a-b": point.Int}

func values(f *formula.Formula) []point.Value {
	all := map[string]point.Value{
		"voltage-l1": point.FloatValue(230.5), "current": point.UintValue(4), "door": point.BoolValue(true), "mode": point.TextValue("auto"),
	}
	var out []point.Value
	for _, id := range f.Inputs() {
		out = append(out, all[id])
	}
	return out
}

func TestEval(t *testing.T) {
	for text, want := range map[string]point.Value{
		"voltage_l1 * current":                  point.FloatValue(922),
		"current + 1":                           point.FloatValue(5),
		"current > 3 ? 1 : 0":                   point.FloatValue(1),
		"door and mode == 'auto'":               point.BoolValue(true),
		"not door":                              point.BoolValue(false),
		"mode + '!'":                            point.TextValue("auto!"),
		"max(current, 7, voltage_l1)":           point.FloatValue(230.5),
		"round(voltage_l1 / 3) + abs(-current)": point.FloatValue(81),
		"current ** 2":                          point.FloatValue(16),
	} {
		f, err := formula.Compile(text, kinds)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := f.Eval(values(f)); got != want || err != nil || f.Kind() != want.Kind() {
			t.Errorf("%s = %v, %v, of kind %v, want %v", text, got, err, f.Kind(), want)
		}
	}
}

func TestEvalWithoutAValue(t *testing.T) {
	for _, text := range []string{"voltage_l1 / (current - 4)", "(4 - current) / (current - 4)", "-voltage_l1 / (current - 4)"} {
		f, err := formula.Compile(text, kinds)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := f.Eval(values(f)); err == nil || v.Kind() != point.None || err.Error() != "not a number" {
			t.Errorf("%s = %v, %v", text, v, err)
		}
	}
}

// TestCompileRefuses has mistakes, and everything that could run for long, use much
// memory or reach out.
func TestCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"voltage_l1 * power":                     "unknown name power",
		"voltage-l1 * 2":                         "unknown name voltage",
		"voltage_l1 *":                           "unexpected token EOF",
		"1 + 2":                                  "names no point",
		"[current]":                              "gives neither a number nor a text nor true or false",
		"current > 3 ? 1 : 'x'":                  "gives neither",
		"door + 1":                               "invalid operation",
		"mode * 2":                               "invalid operation",
		"sum(map(1..1000000, # * current))":      "more of the language",
		"repeat(mode, 1000000000)":               "unknown name repeat",
		"now()":                                  "unknown name now",
		"a_b + 1":                                "a_b may be a-b or a_b",
		strings.Repeat("current+", 200) + "1":    "exceeds maximum allowed nodes",
		"$env":                                   "gives neither",
		"let x = current; x":                     "more of the language",
		"all([1, 2], # > current)":               "more of the language",
		"mode matches '(a+)+$'":                  "more of the language",
		"current in 1..1000000000":               "more of the language",
		strings.Repeat("(", 10_000) + "current)": "",
	} {
		f, err := formula.Compile(text, kinds)
		if want == "" {
			continue // whatever it is, it ends
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, error %v, want %q", text, f, err, want)
		}
	}
}

// FuzzCompile checks that every text ends as an error or a formula that yields a
// value of its kind, or none.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{"voltage_l1 * current", "door ? 1 : 2", "1..current", "mode matches '(a+)+$'", "max(current, 1)", "{'a': 1}.a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := formula.Compile(text, kinds)
		if err != nil {
			return
		}
		if v, err := g.Eval(values(g)); (err == nil) != (v.Kind() == g.Kind()) {
			t.Errorf("%q = %v, %v, of kind %v", text, v, err, g.Kind())
		}
	})
}

func BenchmarkEval(b *testing.B) {
	f, err := formula.Compile("1.732 * voltage_l1 * current", kinds)
	if err != nil {
		b.Fatal(err)
	}
	in := values(f)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Eval(in); err != nil {
			b.Fatal(err)
		}
	}
}
