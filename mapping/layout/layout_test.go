package layout_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// TestScalingAtTheLimits has numbers that need more digits than decimal has: the
// value is then as good as a float64 can be.
func TestScalingAtTheLimits(t *testing.T) {
	for _, tt := range []struct {
		cfg  layout.Config
		wire string
		want float64
	}{
		{layout.Config{Type: layout.Uint64, Scale: 0.5}, "ffffffffffffffff", 1 << 63},
		{layout.Config{Type: layout.Int64, Scale: 3}, "7fffffffffffffff", 3 * (1 << 63)},
		{layout.Config{Type: layout.Int64, Scale: -1}, "8000000000000000", 1 << 63},
		{layout.Config{Type: layout.Int64, Offset: 1}, "7fffffffffffffff", 1 << 63},
		{layout.Config{Type: layout.Int64, Offset: -1}, "8000000000000000", -1 << 63},
		{layout.Config{Type: layout.Uint16, Scale: 1.0 / 3}, "ffff", 21845},
		{layout.Config{Type: layout.Uint16, Scale: 1e-300, Offset: 1e300}, "0001", 1e300},
		{layout.Config{Type: layout.Uint16, Scale: math.SmallestNonzeroFloat64}, "0002", 1e-323},
	} {
		got, err := compile(t, tt.cfg).Decode(unhex(t, tt.wire))
		if err != nil || got != point.FloatValue(tt.want) {
			t.Errorf("%+v, %s: got %v, %v, want %v", tt.cfg, tt.wire, got, err, tt.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	onOff := enum(t, 1, "on")
	for _, tt := range []struct {
		cfg  layout.Config
		want string
	}{
		{layout.Config{}, "value has no type"},
		{layout.Config{Type: layout.Date32BCD + 1}, "value has no type"},
		{layout.Config{Type: layout.Int16, Order: layout.DCBAHGFE + 1}, "value has no such order"},
		{layout.Config{Type: layout.Int16, Scale: math.NaN()}, "scale and offset must be finite"},
		{layout.Config{Type: layout.Int16, Offset: math.Inf(-1)}, "scale and offset must be finite"},
		{layout.Config{Type: layout.Bool, Scale: 2}, "a bool has neither scale nor offset"},
		{layout.Config{Type: layout.Uint16, Bits: layout.Bits{Low: 3, Width: 1}, Scale: 2}, "a bool has neither scale nor offset"},
		{layout.Config{Type: layout.String, Words: 1, Offset: 1}, "a string has neither scale nor offset"},
		{layout.Config{Type: layout.Unix32, Offset: 1}, "a unix32 has neither scale nor offset"},
		{layout.Config{Type: layout.String}, "a string spans 1 to 125 registers, not 0"},
		{layout.Config{Type: layout.Hex, Words: 126}, "a hex spans 1 to 125 registers, not 126"},
		{layout.Config{Type: layout.Int32, Words: 2}, "only a text has a length; its type gives every other value one"},
		{layout.Config{Type: layout.Bool, Bits: layout.Bits{Low: 16, Width: 1}}, "the bits of this value are 0 to 15"},
		{layout.Config{Type: layout.Bool, Bits: layout.Bits{Low: -1, Width: 1}}, "the bits of this value are 0 to 15"},
		{layout.Config{Type: layout.Bool, Bits: layout.Bits{Width: 2}}, "a bool is one bit"},
		{layout.Config{Type: layout.Uint32, Bits: layout.Bits{Low: 30, Width: 3}}, "the bits of this value are 0 to 31"},
		{layout.Config{Type: layout.Uint8High, Bits: layout.Bits{Low: 8, Width: 1}}, "the bits of this value are 0 to 7"},
		{layout.Config{Type: layout.Uint16, Bits: layout.Bits{Low: 3}}, "the bits of this value are 0 to 15"},
		{layout.Config{Type: layout.Float32, Bits: layout.Bits{Width: 1}}, "a float32 has no bits of its own, only an integer has"},
		{layout.Config{Type: layout.Uint16, Padding: layout.Space}, "only a text is padded, with NUL or blanks"},
		{layout.Config{Type: layout.String, Words: 1, Padding: 'x'}, "only a text is padded, with NUL or blanks"},
		{layout.Config{Type: layout.Uint16, Round: new(1)}, "only a number with decimals can be rounded"},
		{layout.Config{Type: layout.Float32, Round: new(13)}, "numbers are rounded to 0 to 12 decimals, not 13"},
		{layout.Config{Type: layout.Float32, Enum: onOff}, "an enum names whole numbers that are not scaled"},
		{layout.Config{Type: layout.Uint16, Scale: 2, Enum: onOff}, "an enum names whole numbers that are not scaled"},
		{layout.Config{Type: layout.Uint8Low, Enum: enum(t, 256, "x")}, "256 does not fit into this value"},
		{layout.Config{Type: layout.Uint16, Enum: enum(t, -1, "x")}, "-1 does not fit into this value"},
		{layout.Config{Type: layout.Uint16, Invalid: layout.Invalid{Raw: []point.Value{point.UintValue(65536)}}},
			"invalid: 65536 is out of range: this uint16 holds 0 to 65535"},
		{layout.Config{Type: layout.Uint16, Invalid: layout.Invalid{Raw: make([]point.Value, 33)}}, "at most 32 values may be invalid, not 33"},
		{layout.Config{Type: layout.Uint16, Invalid: layout.Invalid{Set: layout.NaN}}, "a uint16 cannot be NaN, only a float can"},
		{layout.Config{Type: layout.BCD16, Invalid: layout.Invalid{Set: layout.SunSpec}}, "SunSpec has no invalid bcd16"},
		{layout.Config{Type: layout.Hex, Words: 1, Invalid: layout.Invalid{Raw: []point.Value{point.UintValue(1)}}}, "a hex has no invalid numbers"},
	} {
		if _, err := layout.New(tt.cfg); err == nil || err.Error() != tt.want {
			t.Errorf("New(%+v): error %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestDecodeWantsItsRegisters(t *testing.T) {
	l := compile(t, layout.Config{Type: layout.Float32})
	for _, n := range []int{0, 2, 3, 5, 8} {
		_, err := l.Decode(make([]byte, n))
		if want := fmt.Sprintf("value spans 4 bytes, reply has %d", n); err == nil || err.Error() != want {
			t.Errorf("%d bytes: error %v, want %q", n, err, want)
		}
	}
}

func TestCoil(t *testing.T) {
	packed := []byte{0b1100_1101, 0b0000_0001}
	var got strings.Builder
	for i := range 16 {
		v, err := layout.Coil(packed, i)
		if err != nil || v.Kind() != point.Bool {
			t.Fatalf("coil %d: %v, %v", i, v, err)
		}
		fmt.Fprintf(&got, "%v", v.Float())
	}
	if want := "1011001110000000"; got.String() != want {
		t.Errorf("got %s, want %s", &got, want)
	}
	for _, i := range []int{-1, 16} {
		if v, err := layout.Coil(packed, i); err == nil {
			t.Errorf("coil %d of two bytes is %v", i, v)
		}
	}
}

func TestNames(t *testing.T) {
	for typ := layout.Bool; typ <= layout.Date32BCD; typ++ {
		if got, err := layout.ParseType(typ.String()); got != typ || err != nil {
			t.Errorf("ParseType(%q) = %v, %v", typ, got, err)
		}
	}
	for _, name := range []string{"", "float", "layout.Type(0)"} {
		_, err := layout.ParseType(name)
		want := fmt.Sprintf("%q is not a type: the types are bool, int8-high, int8-low, uint8-high, uint8-low, "+
			"int16, uint16, int24, uint24, int32, uint32, int48, uint48, int64, uint64, float16, float32, float64, "+
			"bcd16, bcd32, bcd64, string, string-high, string-low, hex, "+
			"unix32, cp56time2a, datetime48, datetime48-bcd, date32-bcd", name)
		if err == nil || err.Error() != want {
			t.Errorf("ParseType(%q): error %v, want %q", name, err, want)
		}
	}
}

// FuzzFloat32 checks that the decimal published for a float32 is that float32.
func FuzzFloat32(f *testing.F) {
	f.Add(uint32(0x43668000))
	f.Add(uint32(1))
	l, err := layout.New(layout.Config{Type: layout.Float32})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, bits uint32) {
		want := math.Float32frombits(bits)
		v, err := l.Decode(binary.BigEndian.AppendUint32(nil, bits))
		if err == nil && float32(v.Float()) != want {
			t.Errorf("got %v, want %v", v, want)
		}
	})
}

func TestNumbersAreDecodedWithoutAllocating(t *testing.T) {
	wire := unhex(t, "4048950340489503")
	for typ := layout.Bool; typ <= layout.BCD64; typ++ {
		for _, scale := range []float64{1, 0.1, 1e-300} {
			if typ == layout.Bool && scale != 1 {
				continue
			}
			l := compile(t, layout.Config{Type: typ, Scale: scale})
			if n := testing.AllocsPerRun(100, func() { l.Decode(wire[:2*l.Words()]) }); n != 0 {
				t.Errorf("%v scaled by %v: %v allocations", typ, scale, n)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bm := range []struct {
		name string
		cfg  layout.Config
		wire string
	}{
		{"uint16", layout.Config{Type: layout.Uint16}, "0929"},
		{"uint16 scaled", layout.Config{Type: layout.Uint16, Scale: 0.1}, "0929"},
		{"int32 scaled and moved", layout.Config{Type: layout.Int32, Scale: 0.1, Offset: -40}, "12345678"},
		{"float32", layout.Config{Type: layout.Float32}, "41bb3333"},
		{"float32 scaled", layout.Config{Type: layout.Float32, Scale: 0.001}, "41bb3333"},
		{"float64", layout.Config{Type: layout.Float64}, "406cd00000000000"},
		{"string", layout.Config{Type: layout.String, Words: 8}, "53444d3633302d4d0000000000000000"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			l, wire := compile(b, bm.cfg), unhex(b, bm.wire)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Decode(wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleLayout_Decode() {
	temperature, err := layout.New(layout.Config{Type: layout.Int16, Scale: 0.1})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := temperature.Decode([]byte{0x00, 0xEA})
	fmt.Println(v, err)
	// Output: 23.4 <nil>
}

// enum is an enum of one number.
func enum(tb testing.TB, number int64, name string) *layout.Enum {
	tb.Helper()
	e, err := layout.NewEnum([]int64{number}, []string{name})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func compile(tb testing.TB, cfg layout.Config) layout.Layout {
	tb.Helper()
	l, err := layout.New(cfg)
	if err != nil {
		tb.Fatalf("New(%+v): %v", cfg, err)
	}
	return l
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}
