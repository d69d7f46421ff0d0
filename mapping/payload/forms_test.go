package payload_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// named is a good reading of a point, or a bad one with the reason.
func named(id string, v point.Value, reason string) point.Reading {
	r := point.Reading{Point: id, Value: v, Reason: reason, Time: at}
	if reason != "" {
		r.Quality = point.Bad
	}
	return r
}

func TestAppendObject(t *testing.T) {
	later := named("c", point.IntValue(3), "")
	later.Time = at.Add(time.Second)
	uncertain := named("d", point.IntValue(4), "")
	uncertain.Quality, uncertain.Reason = point.Uncertain, "above 100"
	for _, tt := range []struct {
		readings []point.Reading
		want     string
	}{
		{[]point.Reading{named("a", point.FloatValue(70), ""), named("b", point.BoolValue(true), ""), named("t", point.TextValue(`"`), "")},
			`{"ts":1795211000123,"quality":"good","a":70.0,"b":true,"t":"\""}`},
		{[]point.Reading{named("a", point.UintValue(math.MaxUint64), ""), later}, `{"ts":1795211001123,"quality":"good","a":18446744073709551615,"c":3}`},
		{[]point.Reading{uncertain, named("a", point.Value{}, "timeout"), named("b", point.Value{}, "crc")},
			`{"ts":1795211000123,"quality":"bad","reason":"timeout","d":4,"a":null,"b":null}`},
		{[]point.Reading{uncertain, named("a", point.IntValue(1), "")}, `{"ts":1795211000123,"quality":"uncertain","reason":"above 100","d":4,"a":1}`},
		{[]point.Reading{named("a", point.FloatValue(math.NaN()), "")}, `{"ts":1795211000123,"quality":"bad","a":null}`},
	} {
		if got := string(payload.AppendObject(nil, tt.readings)); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

var source = payload.Source{
	Site: "plant", Gateway: "gw-1", Device: "meter", Name: "Main meter", Template: "sdm", Labels: map[string]string{"line": "line 4"},
}

// write has a writer write readings.
func write(t *testing.T, f payload.Format, s payload.Source, readings ...point.Reading) string {
	t.Helper()
	out, ok, err := f.Writer(s).Append([]byte("kept "), readings)
	if err != nil || !ok || !strings.HasPrefix(string(out), "kept ") {
		t.Fatalf("%s, %v, %v", out, ok, err)
	}
	return strings.TrimPrefix(string(out), "kept ")
}

func TestInfluxLine(t *testing.T) {
	influx := payload.Format{Form: payload.Influx}
	for _, tt := range []struct {
		readings []point.Reading
		want     string
	}{
		{[]point.Reading{named("a", point.FloatValue(70), ""), named("b", point.BoolValue(true), "")}, `a=70.0,b=true,quality="good"`},
		{[]point.Reading{named("a", point.IntValue(-7), ""), named("b", point.UintValue(7), "")}, `a=-7i,b=7i,quality="good"`},
		{[]point.Reading{named("a", point.UintValue(math.MaxUint64), "")}, `a=18446744073709551615u,quality="good"`},
		{[]point.Reading{named("a", point.TextValue("say \"hi\" \\\nnow"), "")}, `a="say \"hi\" \\ now",quality="good"`},
		{[]point.Reading{named("a", point.Value{}, "exception 2"), named("b", point.FloatValue(1e-7), "")}, `b=1e-07,quality="bad",reason="exception 2"`},
	} {
		want := `modbus,device=meter,gateway=gw-1,line=line\ 4,site=plant ` + tt.want + ` 1795211000123000000`
		if got := write(t, influx, source, tt.readings...); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	odd := payload.Source{Device: "d", Labels: map[string]string{"a b": "x,y=z", "device": "ours", "empty": "", "nl": "1\n2", "path": `c:\`}}
	want := `modbus,a\ b=x\,y\=z,device=d,nl=1\ 2,path=c: p=1i,quality="good" 1795211000123000000`
	if got := write(t, influx, odd, named("p", point.IntValue(1), "")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTemplate(t *testing.T) {
	good, bad := named("u", point.FloatValue(230.5), ""), named("i", point.Value{}, "timeout")
	good.Unit = "V"
	for _, tt := range []struct {
		template string
		readings []point.Reading
		want     string
	}{
		{`{"d":{{.Value}},"q":{{.OPCQuality}},"ts":"{{.Time}}"}`, []point.Reading{good}, `{"d":230.5,"q":192,"ts":"2026-11-20T21:43:20.123Z"}`},
		{`{"d":{{.Value}},"q":{{.OPCQuality}},"why":"{{.Reason}}"}`, []point.Reading{bad}, `{"d":null,"q":0,"why":"timeout"}`},
		{`{{.Value}} {{.Text}}`, []point.Reading{named("t", point.TextValue(`a"b`), "")}, `"a\"b" a"b`},
		{`{{.Value}} {{.Text}}`, []point.Reading{named("t", point.BoolValue(true), "")}, `true 1`},
		{`{{.Site}}/{{.Gateway}}/{{.Device}}/{{.Name}}/{{.Template}}/{{.Labels.line}}/{{.Labels.none}}`, []point.Reading{good}, `plant/gw-1/meter/Main meter/sdm/line 4/`},
		{`{{printf "%08.2f" .Number}}{{with .Unit}} {{.}}{{end}} {{.Unix}} {{.UnixMilli}}`, []point.Reading{good}, `00230.50 V 1795211000 1795211000123`},
		{`{{.Device}}{{range .Points}} {{.Point}}={{if .Good}}{{.Text}}{{else}}{{.Quality}}{{end}}{{end}}`, []point.Reading{good, bad}, `meter u=230.5 i=bad`},
		{`{{range $k, $v := .Labels}}{{$k}}={{$v}}{{end}}`, []point.Reading{good}, `line=line 4`},
	} {
		c, err := payload.ParseTemplate(tt.template)
		if err != nil {
			t.Errorf("%s: %v", tt.template, err)
			continue
		}
		if got := write(t, payload.Format{Form: payload.Custom, Template: c}, source, tt.readings...); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.template, got, tt.want)
		}
	}
}

func TestOPCQuality(t *testing.T) {
	c, err := payload.ParseTemplate("{{.OPCQuality}}")
	if err != nil {
		t.Fatal(err)
	}
	for quality, want := range map[point.Quality]string{point.Good: "192", point.Uncertain: "64", point.Stale: "68", point.Bad: "0"} {
		r := point.Reading{Value: point.IntValue(1), Quality: quality, Time: at}
		if got := write(t, payload.Format{Form: payload.Custom, Template: c}, source, r); got != want {
			t.Errorf("%v is %s, want %s", quality, got, want)
		}
	}
}

// TestTemplatesThatAreRefused has what is wrong, and what might never end.
func TestTemplatesThatAreRefused(t *testing.T) {
	for template, want := range map[string]string{
		``:                            "1 to 4096 bytes",
		`{{.Valeu}}`:                  "can't evaluate field Valeu",
		`{{.Value`:                    "unclosed action",
		`{{if .Value gt 3}}`:          "unexpected EOF",
		`{{if gt .Value 3}}{{end}}`:   "incompatible types",
		`{{range 1000000000}}{{end}}`: "range goes over",
		`{{range .Points}}{{range $.Points}}{{end}}{{end}}`:                      "range goes over",
		`{{range .Points}}{{with .Unit}}{{range $.Points}}{{end}}{{end}}{{end}}`: "range goes over",
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`:                  "defines other templates",
		`{{template "payload" .}}`:                                               "is not allowed",
		`{{block "a" .}}{{end}}`:                                                 "defines other templates",
		`{{print .Value}}`:                                                       "print is not allowed",
		`{{(print .Value).Foo}}`:                                                 "print is not allowed",
		`{{if (html .Value)}}{{end}}`:                                            "html is not allowed",
		`{{.Value | js}}`:                                                        "js is not allowed",
		`{{printf "%099999d" 1}}`:                                                "longer than 65536 bytes",
		`{{$a := printf "%60000d" 1}}{{$a}}{{$a}}`:                               "longer than 65536 bytes",
		strings.Repeat("x", 4097):                                                "1 to 4096 bytes",
	} {
		if _, err := payload.ParseTemplate(template); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", template, err, want)
		}
	}
}

// FuzzTemplate makes sure that no template that is taken says something of other
// readings that is longer than it may be, or takes its time over it.
func FuzzTemplate(f *testing.F) {
	f.Add(`{"d":{{.Value}}}`, "text", int64(5))
	f.Add(`{{range .Points}}{{printf "%v" .}}{{end}}`, "\x00\xff", int64(math.MinInt64))
	f.Add(`{{with $x := .Labels}}{{index $x "line"}}{{else}}{{len .Points}}{{end}}`, "", int64(0))
	f.Fuzz(func(t *testing.T, template, text string, i int64) {
		c, err := payload.ParseTemplate(template)
		if err != nil {
			return
		}
		readings := []point.Reading{named("a", point.TextValue(text), ""), named("b", point.IntValue(i), ""), named("c", point.Value{}, "timeout")}
		start := time.Now()
		out, ok, err := payload.Format{Form: payload.Custom, Template: c}.Writer(source).Append(nil, readings)
		if ok == (err != nil) || len(out) > 64<<10 {
			t.Errorf("%d bytes, %v, %v", len(out), ok, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// FuzzObject checks that whatever devices say makes a JSON object and one line.
func FuzzObject(f *testing.F) {
	f.Add("a", "text", "timeout", 70.0)
	f.Add("\"\n", "\xff\"\\\r\n", "\x00", math.MaxFloat64)
	f.Fuzz(func(t *testing.T, id, text, reason string, x float64) {
		readings := []point.Reading{named("x", point.FloatValue(x), ""), named("t", point.TextValue(text), ""), named("y", point.Value{}, reason)}
		b := payload.AppendObject(nil, append(readings, named(id, point.TextValue(text), "")))
		if !json.Valid(b) {
			t.Errorf("%s is no JSON", b)
		}
		line := write(t, payload.Format{Form: payload.Influx}, source, readings...)
		if strings.ContainsAny(line, "\n\r\x00") || strings.Count(line, `modbus,`) < 1 {
			t.Errorf("%q is not one line", line)
		}
	})
}

func TestForms(t *testing.T) {
	for _, name := range payload.Forms() {
		if f, err := payload.ParseForm(name); err != nil || f.String() != name {
			t.Errorf("%s is read as %v, %v", name, f, err)
		}
	}
	if _, err := payload.ParseForm("xml"); err == nil {
		t.Error("xml is a form")
	}
	if got := fmt.Sprint(payload.Reserved()); got != "[ts quality reason]" {
		t.Errorf("reserved %s", got)
	}
}
