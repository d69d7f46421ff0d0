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
	for _, tt := range []struct {
		cfg  layout.Config
		want string
	}{
		{layout.Config{}, "value has no type"},
		{layout.Config{Type: layout.String + 1}, "value has no type"},
		{layout.Config{Type: layout.Int16, Order: layout.DCBAHGFE + 1}, "value has no such order"},
		{layout.Config{Type: layout.Int16, Scale: math.NaN()}, "scale and offset must be finite"},
		{layout.Config{Type: layout.Int16, Offset: math.Inf(-1)}, "scale and offset must be finite"},
		{layout.Config{Type: layout.Bool, Scale: 2}, "a bool has neither scale nor offset"},
		{layout.Config{Type: layout.String, Words: 1, Offset: 1}, "a string has neither scale nor offset"},
		{layout.Config{Type: layout.String}, "a string spans 1 to 125 registers, not 0"},
		{layout.Config{Type: layout.String, Words: 126}, "a string spans 1 to 125 registers, not 126"},
		{layout.Config{Type: layout.Int32, Words: 2},
			"only a string has a length; its type gives every other value one"},
		{layout.Config{Type: layout.Bool, Bit: 16}, "the bits of a register are 0 to 15, not 16"},
		{layout.Config{Type: layout.Bool, Bit: -1}, "the bits of a register are 0 to 15, not -1"},
		{layout.Config{Type: layout.Uint16, Bit: 3}, "only a bool has a bit"},
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
	for typ := layout.Bool; typ <= layout.String; typ++ {
		if got, err := layout.ParseType(typ.String()); got != typ || err != nil {
			t.Errorf("ParseType(%q) = %v, %v", typ, got, err)
		}
	}
	for _, name := range []string{"", "float", "layout.Type(0)"} {
		_, err := layout.ParseType(name)
		want := fmt.Sprintf("%q is not a type: the types are bool, int8-high, int8-low, uint8-high, uint8-low, "+
			"int16, uint16, int32, uint32, int48, uint48, int64, uint64, float32, float64, string", name)
		if err == nil || err.Error() != want {
			t.Errorf("ParseType(%q): error %v, want %q", name, err, want)
		}
	}
}

// FuzzDecode checks what holds for every layout and every reply: a value or an
// error, and never a float that JSON does not have.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(layout.Float32), uint8(0), 0.0, 0.0, 0, []byte{0x43, 0x66, 0x80, 0})
	f.Add(uint8(layout.Float32), uint8(3), 0.1, -40.0, 0, []byte{0, 0, 0xC0, 0x7F})
	f.Add(uint8(layout.Int64), uint8(1), 1.8, 32.0, 0, []byte{0x7F, 255, 255, 255, 255, 255, 255, 255})
	f.Add(uint8(layout.Float64), uint8(0), 1e308, 0.0, 0, binary.BigEndian.AppendUint64(nil, math.Float64bits(-1e300)))
	f.Add(uint8(layout.Bool), uint8(2), 1.0, 0.0, 9, []byte{1, 2})
	f.Add(uint8(layout.String), uint8(2), 1.0, 0.0, 2, []byte("\xFFDS\x00"))
	f.Fuzz(func(t *testing.T, typ, order uint8, scale, offset float64, n int, b []byte) {
		cfg := layout.Config{
			Type: layout.Type(typ), Order: layout.Order(order),
			Scale: scale, Offset: offset,
		}
		switch cfg.Type {
		case layout.Bool:
			cfg.Bit = n
		case layout.String:
			cfg.Words = n
		}
		l, err := layout.New(cfg)
		if err != nil {
			return
		}
		v, err := l.Decode(b)
		if (err == nil) != (v.Kind() != point.None) {
			t.Fatalf("value %v with error %v", v, err)
		}
		if err == nil && len(b) != 2*l.Words() {
			t.Fatalf("%d bytes read as %d registers", len(b), l.Words())
		}
		if v.Kind() == point.Float && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
			t.Fatalf("got %v", v)
		}
	})
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
	wire := unhex(t, "4048f5c34048f5c3")
	for typ := layout.Bool; typ <= layout.Float64; typ++ {
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
