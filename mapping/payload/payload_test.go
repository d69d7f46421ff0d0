package payload_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/mapping/payload"
	"sluice/mapping/point"
)

var at = time.UnixMilli(1795211000123)

func good(v point.Value) point.Reading { return point.Reading{Value: v, Time: at} }

func TestAppendJSON(t *testing.T) {
	for _, tt := range []struct {
		reading point.Reading
		want    string
	}{
		{good(point.FloatValue(230.5)), `{"value":230.5,"quality":"good","ts":1795211000123}`},
		{
			point.Reading{Value: point.FloatValue(230.5), Unit: "V", Reason: "left over", Time: at},
			`{"value":230.5,"unit":"V","quality":"good","ts":1795211000123}`,
		},
		{
			point.Reading{Quality: point.Bad, Unit: "°C", Reason: "timeout", Time: at},
			`{"value":null,"unit":"°C","quality":"bad","reason":"timeout","ts":1795211000123}`,
		},
		{
			point.Reading{Value: point.IntValue(7), Quality: point.Bad, Time: at},
			`{"value":null,"quality":"bad","ts":1795211000123}`,
		},
		{
			point.Reading{Value: point.IntValue(7), Quality: point.Stale, Reason: "exception 2", Time: at},
			`{"value":7,"quality":"stale","reason":"exception 2","ts":1795211000123}`,
		},
		{
			point.Reading{Value: point.BoolValue(true), Quality: point.Uncertain, Time: at},
			`{"value":true,"quality":"uncertain","ts":1795211000123}`,
		},
		{good(point.FloatValue(math.NaN())), `{"value":null,"quality":"bad","ts":1795211000123}`},
		{good(point.TextValue(`say "hi"`)), `{"value":"say \"hi\"","quality":"good","ts":1795211000123}`},
		{
			point.Reading{Value: point.UintValue(1), Time: time.Unix(0, -1)},
			`{"value":1,"quality":"good","ts":-1}`,
		},
	} {
		if got := string(payload.AppendJSON(nil, tt.reading)); got != tt.want {
			t.Errorf("%+v:\n got %s\nwant %s", tt.reading, got, tt.want)
		}
	}
}

// TestValues has each value in both forms.
func TestValues(t *testing.T) {
	for _, tt := range []struct {
		value      point.Value
		json, bare string
	}{
		{point.BoolValue(true), "true", "1"},
		{point.BoolValue(false), "false", "0"},
		{point.IntValue(0), "0", "0"},
		{point.IntValue(math.MinInt64), "-9223372036854775808", "-9223372036854775808"},
		{point.UintValue(math.MaxUint64), "18446744073709551615", "18446744073709551615"},
		{point.FloatValue(0), "0.0", "0.0"},
		{point.FloatValue(70), "70.0", "70.0"},
		{point.FloatValue(-70.25), "-70.25", "-70.25"},
		{point.FloatValue(23.4), "23.4", "23.4"},
		{point.FloatValue(1e6), "1000000.0", "1000000.0"},
		{point.FloatValue(1e20), "100000000000000000000.0", "100000000000000000000.0"},
		{point.FloatValue(1e21), "1e+21", "1e+21"},
		{point.FloatValue(1e-6), "0.000001", "0.000001"},
		{point.FloatValue(1e-7), "1e-07", "1e-07"},
		{point.FloatValue(math.MaxFloat64), "1.7976931348623157e+308", "1.7976931348623157e+308"},
		{point.FloatValue(math.SmallestNonzeroFloat64), "5e-324", "5e-324"},
		{point.TextValue(""), `""`, ""},
		{point.TextValue("a\\b\tc\x00d\x7f"), `"a\\b\u0009c\u0000d` + "\x7f" + `"`, "a\\b\tc\x00d\x7f"},
		{point.TextValue("21 \xb0C ☃"), `"21 ` + "\uFFFD" + `C ☃"`, "21 \xb0C ☃"},
	} {
		object := string(payload.AppendJSON(nil, good(tt.value)))
		if want := `{"value":` + tt.json + `,"quality":"good","ts":1795211000123}`; object != want {
			t.Errorf("json %v:\n got %s\nwant %s", tt.value, object, want)
		}
		if bare, ok := payload.AppendValue(nil, good(tt.value)); !ok || string(bare) != tt.bare {
			t.Errorf("value %v: got %s, %v, want %s", tt.value, bare, ok, tt.bare)
		}
	}
}

func TestNoValueNoMessage(t *testing.T) {
	prefix := []byte("kept")
	for _, r := range []point.Reading{
		{Quality: point.Bad},
		{Quality: point.Bad, Value: point.IntValue(7)},
		{Quality: point.Good, Value: point.FloatValue(math.Inf(1))},
		{},
	} {
		if got, ok := payload.AppendValue(prefix, r); ok || string(got) != "kept" {
			t.Errorf("%+v: got %s, %v", r, got, ok)
		}
	}
	r := point.Reading{Quality: point.Stale, Value: point.IntValue(7)}
	if got, ok := payload.AppendValue(prefix, r); !ok || string(got) != "kept7" {
		t.Errorf("stale: got %s, %v, want kept7", got, ok)
	}
}

// object is what a reader makes of a JSON payload.
type object struct {
	Value   any     `json:"value"`
	Unit    *string `json:"unit"`
	Quality string  `json:"quality"`
	Reason  *string `json:"reason"`
	TS      int64   `json:"ts"`
}

func parse(t *testing.T, b []byte) object {
	t.Helper()
	var o object
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&o); err != nil || d.More() {
		t.Fatalf("%s: %v", b, err)
	}
	return o
}

// FuzzText checks that whatever a device or a file says comes back out of a JSON
// reader.
func FuzzText(f *testing.F) {
	f.Add("value", "V", "timeout", int64(1795211000123))
	f.Add("\x00\"\\/\b\f\n\r\t\x1f\x7f", "\u2028\u2029", "<&>", int64(-1))
	f.Add("\xff\xc3", "\xed\xa0\x80", "\U0010FFFF\uFFFD", int64(math.MaxInt64/1_000_000))
	f.Fuzz(func(t *testing.T, text, unit, reason string, ms int64) {
		r := point.Reading{
			Value: point.TextValue(text), Unit: unit, Quality: point.Stale, Reason: reason, Time: time.UnixMilli(ms),
		}
		b := payload.AppendJSON(nil, r)
		if !utf8.Valid(b) {
			t.Errorf("%q is not UTF-8", b)
		}
		o := parse(t, b)
		if o.Value != readable(text) || o.TS != ms || o.Quality != "stale" {
			t.Errorf("%s from %+v", b, r)
		}
		if !same(o.Unit, unit) || !same(o.Reason, reason) {
			t.Errorf("%s from %+v", b, r)
		}
	})
}

// FuzzFloat checks that a JSON reader gets exactly f, and sees that it is a float.
func FuzzFloat(f *testing.F) {
	for _, x := range []float64{0, 70, 0.1, 1e20, 1e21, 1e-6, 1e-7, math.MaxFloat64, math.NaN(), math.Inf(-1)} {
		f.Add(x)
	}
	f.Fuzz(func(t *testing.T, x float64) {
		o := parse(t, payload.AppendJSON(nil, good(point.FloatValue(x))))
		if math.IsNaN(x) || math.IsInf(x, 0) {
			if o.Value != nil || o.Quality != "bad" {
				t.Errorf("%v is %v, %s", x, o.Value, o.Quality)
			}
			return
		}
		n, _ := o.Value.(json.Number)
		if got, err := n.Float64(); err != nil || got != x || !strings.ContainsAny(n.String(), ".e") {
			t.Errorf("%v is written %s", x, n)
		}
	})
}

// readable is s as JSON can carry it.
func readable(s string) string { return string([]rune(s)) }

func same(got *string, want string) bool {
	if want == "" {
		return got == nil
	}
	return got != nil && *got == readable(want)
}

func TestNothingIsAllocated(t *testing.T) {
	buf := make([]byte, 0, 256)
	for _, v := range []point.Value{
		point.BoolValue(true), point.IntValue(-1), point.UintValue(1), point.FloatValue(23.4), point.TextValue("on ☃"), {},
	} {
		r := point.Reading{Value: v, Unit: "°C", Quality: point.Stale, Reason: "timeout", Time: at}
		if n := testing.AllocsPerRun(100, func() { payload.AppendJSON(buf, r) }); n != 0 {
			t.Errorf("json %v: %v allocations", v, n)
		}
		if n := testing.AllocsPerRun(100, func() { payload.AppendValue(buf, r) }); n != 0 {
			t.Errorf("value %v: %v allocations", v, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	r := point.Reading{Value: point.FloatValue(230.5), Unit: "V", Time: at}
	buf := make([]byte, 0, 256)
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			payload.AppendJSON(buf, r)
		}
	})
	b.Run("value", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			payload.AppendValue(buf, r)
		}
	})
}
