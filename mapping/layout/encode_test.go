package layout_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

func TestEncode(t *testing.T) {
	for _, tt := range []struct {
		cfg         layout.Config
		before      string // the registers as they are
		value       point.Value
		after, fail string
	}{
		{layout.Config{Type: layout.Uint16}, "0000", point.UintValue(1500), "05dc", ""},
		{layout.Config{Type: layout.Uint16}, "0000", point.IntValue(-1), "", "-1 is out of range: this uint16 holds 0 to 65535"},
		{layout.Config{Type: layout.Uint16}, "0000", point.FloatValue(65535.4), "ffff", ""},
		{layout.Config{Type: layout.Uint16}, "0000", point.FloatValue(65535.5), "", "65535.5 is out of range: this uint16 holds 0 to 65535"},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, "0000", point.FloatValue(-23.4), "ff16", ""},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, "0000", point.FloatValue(23.45), "00eb", ""},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, "0000", point.FloatValue(-23.45), "ff15", ""},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, "0000", point.IntValue(4000), "", "4000 is out of range: this int16 holds -3276.8 to 3276.7"},
		{layout.Config{Type: layout.Uint8Low, Scale: -2, Offset: 10}, "ab00", point.IntValue(-10), "ab0a", ""},
		{layout.Config{Type: layout.Uint8Low, Scale: -2, Offset: 10}, "ab00", point.IntValue(12), "", "12 is out of range: this uint8-low holds -500 to 10"},
		{layout.Config{Type: layout.Int8High}, "12ab", point.IntValue(-2), "feab", ""},
		{layout.Config{Type: layout.Uint8Low, Order: layout.BADC}, "12ab", point.IntValue(7), "07ab", ""},
		{layout.Config{Type: layout.Bool, Bits: layout.Bits{Low: 9, Width: 1}}, "00ff", point.BoolValue(true), "02ff", ""},
		{layout.Config{Type: layout.Bool, Bits: layout.Bits{Low: 9, Width: 1}}, "ffff", point.BoolValue(false), "fdff", ""},
		{layout.Config{Type: layout.Bool}, "ffff", point.IntValue(1), "", "1 is neither true nor false"},
		{layout.Config{Type: layout.Float32, Order: layout.CDAB}, "00000000", point.FloatValue(230.5), "80004366", ""},
		{layout.Config{Type: layout.Float32}, "00000000", point.FloatValue(1e39), "", "1000000000000000000000000000000000000000 is too large for a float32"},
		{layout.Config{Type: layout.Float64}, "0000000000000000", point.IntValue(-1), "bff0000000000000", ""},
		{layout.Config{Type: layout.Uint64}, "0000000000000000", point.UintValue(math.MaxUint64), "ffffffffffffffff", ""},
		{layout.Config{Type: layout.Int64}, "0000000000000000", point.IntValue(math.MinInt64), "8000000000000000", ""},
		{layout.Config{Type: layout.Int64}, "0000000000000000", point.UintValue(1 << 63), "",
			"9223372036854775808 is out of range: this int64 holds -9223372036854775808 to 9223372036854775807"},
		{layout.Config{Type: layout.Int32}, "00000000", point.TextValue("x"), "", `"x" is not a number`},
		{layout.Config{Type: layout.String, Words: 3}, "ffffffffffff", point.TextValue("SDM"), "53444d000000", ""},
		{layout.Config{Type: layout.String, Words: 2, Order: layout.BADC}, "00000000", point.TextValue("SDM6"), "4453364d", ""},
		{layout.Config{Type: layout.String, Words: 1}, "0000", point.TextValue("SDM"), "", `"SDM" has 3 bytes, there is room for 2`},
		{layout.Config{Type: layout.String, Words: 2}, "00000000", point.TextValue("a\x00b"), "", `"a\x00b" holds a NUL, which would end it`},
		{layout.Config{Type: layout.String, Words: 1}, "0000", point.IntValue(3), "", "3 is not a text"},
		{layout.Config{Type: layout.Uint32}, "0000", point.IntValue(3), "", "value spans 4 bytes, not 2"},
	} {
		b := unhex(t, tt.before)
		err := compile(t, tt.cfg).Encode(b, tt.value)
		after, fail := fmt.Sprintf("%x", b), ""
		if err != nil {
			fail = err.Error()
		}
		if fail != tt.fail || fail == "" && after != tt.after || fail != "" && after != tt.before {
			t.Errorf("%+v, %v: %s, %q, want %s, %q", tt.cfg, tt.value, after, fail, tt.after, tt.fail)
		}
	}
}

func TestKind(t *testing.T) {
	for _, tt := range []struct {
		cfg  layout.Config
		want point.Kind
	}{
		{layout.Config{Type: layout.Bool}, point.Bool},
		{layout.Config{Type: layout.Int16}, point.Int},
		{layout.Config{Type: layout.Int16, Scale: 0.1}, point.Float},
		{layout.Config{Type: layout.String, Words: 1}, point.Text},
	} {
		if got := compile(t, tt.cfg).Kind(); got != tt.want {
			t.Errorf("%+v: kind %d, want %d", tt.cfg, got, tt.want)
		}
	}
}

// checkRoundTrip encodes what was decoded from wire: it decodes to the same, and
// where nothing is scaled the registers are the same too.
func checkRoundTrip(l layout.Layout, cfg layout.Config, wire []byte, v point.Value) error {
	b := bytes.Clone(wire)
	if err := l.Encode(b, v); err != nil {
		return fmt.Errorf("encode %v: %w", v, err)
	}
	if again, err := l.Decode(b); err != nil || again != v {
		return fmt.Errorf("%v became %x and then %v, %v", v, b, again, err)
	}
	scaled := cfg.Scale != 0 && cfg.Scale != 1 || cfg.Offset != 0
	if !scaled && v.Kind() != point.Text && v != point.FloatValue(0) && !bytes.Equal(b, wire) {
		return fmt.Errorf("%v became %x", v, b)
	}
	return nil
}

func ExampleLayout_Encode() {
	setpoint, err := layout.New(layout.Config{Type: layout.Int16, Scale: 0.1})
	if err != nil {
		fmt.Println(err)
		return
	}
	b := make([]byte, 2*setpoint.Words())
	err = setpoint.Encode(b, point.FloatValue(23.4))
	fmt.Printf("%x %v\n", b, err)
	// Output: 00ea <nil>
}
