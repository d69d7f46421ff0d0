package layout_test

import (
	"encoding/binary"
	"math"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

func TestEnum(t *testing.T) {
	modes, err := layout.NewEnum([]int64{2, 0, 1, -1}, []string{"manual", "off", "auto", "lost"})
	if err != nil {
		t.Fatal(err)
	}
	l := compile(t, layout.Config{Type: layout.Int16, Enum: modes})
	for _, tt := range []struct{ wire, text, fail string }{
		{"0000", "off", ""}, {"0001", "auto", ""}, {"ffff", "lost", ""}, {"0007", "7", "7 has no name"}, {"fffe", "-2", "-2 has no name"},
	} {
		v, err := l.Decode(unhex(t, tt.wire))
		if v != point.TextValue(tt.text) || text(err) != tt.fail {
			t.Errorf("%s: got %v, %v, want %s, %s", tt.wire, v, err, tt.text, tt.fail)
		}
	}
	for _, tt := range []struct {
		value      point.Value
		wire, fail string
	}{
		{point.TextValue("manual"), "0002", ""},
		{point.TextValue("lost"), "ffff", ""},
		{point.IntValue(1), "0001", ""},
		{point.FloatValue(1), "0001", ""},
		{point.FloatValue(1.5), "", `"1.5" is none of lost, off, auto, manual`},
		{point.TextValue("7"), "", `"7" is none of lost, off, auto, manual`},
		{point.IntValue(7), "", `"7" is none of lost, off, auto, manual`},
		{point.TextValue("1"), "", `"1" is none of lost, off, auto, manual`},
	} {
		b := []byte{0, 0}
		err := l.Encode(b, tt.value)
		if text(err) != tt.fail || err == nil && string(b) != string(unhex(t, tt.wire)) {
			t.Errorf("%v: got %x, %v, want %s, %s", tt.value, b, err, tt.wire, tt.fail)
		}
	}
}

func TestNewEnumRefuses(t *testing.T) {
	for _, tt := range []struct {
		numbers []int64
		names   []string
		want    string
	}{
		{nil, nil, "an enum has 1 to 1000 names, one for each number"},
		{[]int64{1}, []string{"a", "b"}, "an enum has 1 to 1000 names, one for each number"},
		{[]int64{1, 1}, []string{"a", "b"}, "1 has two names"},
		{[]int64{1, 2}, []string{"a", "a"}, `"a" stands for two numbers`},
		{[]int64{1, 2}, []string{"a", ""}, "a name of an enum must not be empty"},
	} {
		if _, err := layout.NewEnum(tt.numbers, tt.names); text(err) != tt.want {
			t.Errorf("%v %q: error %v, want %q", tt.numbers, tt.names, err, tt.want)
		}
	}
}

// TestSunSpec has the values of the SunSpec information model that mean "not
// implemented", and their neighbours.
func TestSunSpec(t *testing.T) {
	for _, tt := range []struct {
		typ        layout.Type
		none, some string
	}{
		{layout.Int16, "8000", "8001"}, {layout.Uint16, "ffff", "fffe"}, {layout.Int32, "80000000", "80000001"},
		{layout.Uint32, "ffffffff", "fffffffe"}, {layout.Int64, "8000000000000000", "7fffffffffffffff"},
		{layout.Uint64, "ffffffffffffffff", "fffffffffffffffe"}, {layout.Float32, "7fc00000", "7f7fffff"},
		{layout.String, "00000000", "41000000"}, {layout.Uint16, "ffff", "0000"},
	} {
		cfg := layout.Config{Type: tt.typ, Invalid: layout.Invalid{Set: layout.SunSpec}}
		if tt.typ.Text() {
			cfg.Words = 2
		}
		l := compile(t, cfg)
		if v, err := l.Decode(unhex(t, tt.none)); v.Kind() != point.None || text(err) != "not available" {
			t.Errorf("%v %s: got %v, %v", tt.typ, tt.none, v, err)
		}
		if _, err := l.Decode(unhex(t, tt.some)); err != nil {
			t.Errorf("%v %s: %v", tt.typ, tt.some, err)
		}
	}
}

func TestInvalidNumbers(t *testing.T) {
	number := func(u uint64) []point.Value { return []point.Value{point.UintValue(u)} }
	both := []point.Value{point.UintValue(0x7FFF), point.IntValue(-9999)}
	for _, tt := range []struct {
		cfg  layout.Config
		raw  []point.Value
		none string
	}{
		{layout.Config{Type: layout.Int16, Scale: 0.1}, both, "7fff"},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, both, "d8f1"},
		{layout.Config{Type: layout.Int16}, number(0x8000), "8000"},
		{layout.Config{Type: layout.Int32}, number(0xFFFFFFFF), "ffffffff"},
		{layout.Config{Type: layout.Uint64}, number(math.MaxUint64), "ffffffffffffffff"},
		{layout.Config{Type: layout.Int64}, number(math.MaxInt64), "7fffffffffffffff"},
		{layout.Config{Type: layout.Int64}, []point.Value{point.IntValue(math.MinInt64)}, "8000000000000000"},
		{layout.Config{Type: layout.Float32}, []point.Value{point.FloatValue(-999.9)}, "c479f99a"},
		{layout.Config{Type: layout.BCD16}, number(9999), "9999"},
		{layout.Config{Type: layout.Uint16, Bits: layout.Bits{Low: 4, Width: 4}}, number(15), "00f0"},
	} {
		cfg := tt.cfg
		cfg.Invalid.Raw = tt.raw
		l := compile(t, cfg)
		if v, err := l.Decode(unhex(t, tt.none)); v.Kind() != point.None || text(err) != "not available" {
			t.Errorf("%v %v: %s is %v, %v", cfg.Type, tt.raw, tt.none, v, err)
		}
		value, err := compile(t, tt.cfg).Decode(unhex(t, tt.none))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Encode(make([]byte, 2*l.Words()), value); text(err) != value.String()+" stands for no value" {
			t.Errorf("%v was written, error %v", value, err)
		}
	}
}

// TestInvalidToTheLastBit has numbers that a float64 cannot tell from the sentinel.
func TestInvalidToTheLastBit(t *testing.T) {
	l := compile(t, layout.Config{Type: layout.Uint64, Invalid: layout.Invalid{Raw: []point.Value{point.UintValue(math.MaxUint64)}}})
	if v, err := l.Decode(unhex(t, "fffffffffffffffe")); err != nil || v != point.UintValue(math.MaxUint64-1) {
		t.Errorf("the number below the sentinel is %v, %v", v, err)
	}
}

func TestNaNIsNoValueOnceDeclared(t *testing.T) {
	for set, want := range map[layout.InvalidSet]string{layout.NoSet: "not a number", layout.NaN: "not available"} {
		l := compile(t, layout.Config{Type: layout.Float32, Invalid: layout.Invalid{Set: set}})
		for _, wire := range []string{"7fc00000", "ff800001", "7f800000"} {
			if v, err := l.Decode(unhex(t, wire)); v.Kind() != point.None || text(err) != want {
				t.Errorf("set %d, %s: got %v, %v, want %s", set, wire, v, err, want)
			}
		}
	}
}

func TestRound(t *testing.T) {
	for _, tt := range []struct {
		f        float64
		decimals int
		want     float64
	}{
		{2.345, 2, 2.35}, {-2.345, 2, -2.35}, {2.344, 2, 2.34}, {0.5, 0, 1}, {-0.5, 0, -1}, {0.49, 0, 0}, {1e20, 2, 1e20},
		{1e-20, 2, 0}, {123456789.987654321, 3, 123456789.988}, {9.9999, 2, 10}, {0.05, 1, 0.1}, {5e-19, 0, 0}, {0, 0, 0},
		{math.MaxFloat64, 12, math.MaxFloat64}, {-7e-13, 12, -1e-12},
	} {
		if got := layout.Round(tt.f, tt.decimals); got != tt.want {
			t.Errorf("Round(%v, %d) = %v, want %v", tt.f, tt.decimals, got, tt.want)
		}
	}
	l := compile(t, layout.Config{Type: layout.Int16, Scale: 0.0625, Round: new(1)})
	if v, err := l.Decode([]byte{0, 215}); v != point.FloatValue(13.4) || err != nil {
		t.Errorf("215/16 rounded: got %v, %v", v, err)
	}
	if l := compile(t, layout.Config{Type: layout.Float32, Round: new(0)}); l.Kind() != point.Float {
		t.Errorf("a rounded float is of kind %v", l.Kind())
	}
}

// TestEveryHalf checks that every binary16 is read as a decimal that is that
// binary16 again.
func TestEveryHalf(t *testing.T) {
	l := compile(t, layout.Config{Type: layout.Float16})
	for u := range 1 << 16 {
		wire := binary.BigEndian.AppendUint16(nil, uint16(u))
		v, err := l.Decode(wire)
		if err != nil {
			if u&0x7C00 != 0x7C00 {
				t.Fatalf("%04x: %v", u, err)
			}
			continue
		}
		got := make([]byte, 2)
		if err := l.Encode(got, v); err != nil || u&0x7FFF != 0 && string(got) != string(wire) {
			t.Fatalf("%04x became %v and then %x, %v", u, v, got, err)
		}
	}
	for _, f := range []float64{65520, -1e6, math.MaxFloat64} {
		if err := l.Encode(make([]byte, 2), point.FloatValue(f)); err == nil {
			t.Errorf("%v fits into a half", f)
		}
	}
}

func TestPadding(t *testing.T) {
	for _, tt := range []struct {
		cfg           layout.Config
		before, after string
	}{
		{layout.Config{Type: layout.String, Words: 2, Padding: layout.Space}, "ffffffff", "41422020"},
		{layout.Config{Type: layout.String, Words: 2, Order: layout.BADC}, "ffffffff", "42410000"},
		{layout.Config{Type: layout.StringHigh, Words: 3}, "eeeeeeeeeeee", "41ee42ee00ee"},
		{layout.Config{Type: layout.StringLow, Words: 3, Padding: layout.Space}, "000000000000", "004100420020"},
	} {
		b := unhex(t, tt.before)
		if err := compile(t, tt.cfg).Encode(b, point.TextValue("AB")); err != nil || string(b) != string(unhex(t, tt.after)) {
			t.Errorf("%v: got %x, %v, want %s", tt.cfg.Type, b, err, tt.after)
		}
	}
}

func TestParseBits(t *testing.T) {
	for s, want := range map[string]layout.Bits{"0": {Width: 1}, "3": {Low: 3, Width: 1}, "4..7": {Low: 4, Width: 4}, "63": {Low: 63, Width: 1}} {
		if got, err := layout.ParseBits(s); got != want || err != nil {
			t.Errorf("ParseBits(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-1", "64", "7..4", "4..", "..4", "4...7", "4-7", "a"} {
		if got, err := layout.ParseBits(s); err == nil {
			t.Errorf("ParseBits(%q) = %v", s, got)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
