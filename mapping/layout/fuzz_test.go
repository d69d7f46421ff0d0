package layout_test

import (
	"math"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// fuzzed is a Config that a fuzzer can mutate. Most of them New refuses.
type fuzzed struct {
	typ, order    uint8
	low, width    int
	words         int
	scale, offset float64
	round         int
	special       uint8
}

func (z fuzzed) config() layout.Config {
	cfg := layout.Config{
		Type: layout.Type(z.typ), Order: layout.Order(z.order), Words: z.words, Scale: z.scale, Offset: z.offset,
		Bits: layout.Bits{Low: z.low, Width: z.width}, Invalid: layout.Invalid{Set: layout.InvalidSet(z.special & 3)},
	}
	if z.round >= 0 {
		cfg.Round = &z.round
	}
	if z.special&4 != 0 {
		cfg.Enum, _ = layout.NewEnum([]int64{-1, 0, 1, 40}, []string{"minus", "off", "on", "forty"})
	}
	if z.special&8 != 0 {
		cfg.Padding = layout.Space
	}
	if z.special&16 != 0 {
		cfg.Invalid.Raw = []point.Value{point.UintValue(1), point.FloatValue(9999)}
	}
	return cfg
}

func seeds(f *testing.F) {
	add := func(z fuzzed, b string) {
		f.Add(z.typ, z.order, z.low, z.width, z.words, z.scale, z.offset, z.round, z.special, []byte(b))
	}
	add(fuzzed{typ: uint8(layout.Float32), round: -1}, "\x43\x66\x80\x00")
	add(fuzzed{typ: uint8(layout.Float32), order: 3, scale: 0.1, offset: -40, round: 2}, "\x00\x00\xC0\x7F")
	add(fuzzed{typ: uint8(layout.Float16), round: -1, special: 2}, "\x5b\x34")
	add(fuzzed{typ: uint8(layout.Int64), order: 1, scale: 1.8, offset: 32, round: -1}, "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF")
	add(fuzzed{typ: uint8(layout.Uint64), order: 5, round: -1, special: 1}, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")
	add(fuzzed{typ: uint8(layout.Float64), scale: 1e308, round: 0}, "\xFE\x37\xE4\x3C\x88\x00\x75\x9C")
	add(fuzzed{typ: uint8(layout.Bool), order: 2, low: 9, width: 1, round: -1}, "\x01\x02")
	add(fuzzed{typ: uint8(layout.Int32), low: 3, width: 12, round: -1, special: 4}, "\x01\x02\x03\x04")
	add(fuzzed{typ: uint8(layout.Int16), round: -1, special: 4 + 16}, "\xFF\xFF")
	add(fuzzed{typ: uint8(layout.Int24), round: -1, scale: 1e-3}, "\x12\xFF\x00\x01")
	add(fuzzed{typ: uint8(layout.BCD64), round: -1, scale: 0.01}, "\x00\x00\x00\x12\x34\x56\x78\x90")
	add(fuzzed{typ: uint8(layout.String), order: 2, words: 2, round: -1, special: 8}, "\xFFDS\x00")
	add(fuzzed{typ: uint8(layout.StringLow), words: 2, round: -1, special: 1}, "\x00A\x00B")
	add(fuzzed{typ: uint8(layout.Hex), order: 2, words: 2, round: -1}, "\x00A\x00B")
	for typ := layout.Unix32; typ <= layout.Date32BCD; typ++ {
		add(fuzzed{typ: uint8(typ), round: -1}, "\x00\x1a\x0b\x15\x03\x28\x12\x34"[:2*typ.Words()])
	}
}

// FuzzDecode checks what holds for every layout and every reply: a value or an
// error, both only where a number lacks a name, and never a float that JSON does
// not have. What is good is written back as what it was read from.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, typ, order uint8, low, width, words int, scale, offset float64, round int, special uint8, b []byte) {
		z := fuzzed{typ, order, low, width, words, scale, offset, round, special}
		l, err := layout.New(z.config())
		if err != nil {
			return
		}
		v, err := l.Decode(b)
		switch {
		case err == nil && v.Kind() != l.Kind():
			t.Fatalf("value %v is of kind %v, said to be %v", v, v.Kind(), l.Kind())
		case err != nil && v.Kind() != point.None && l.Enum() == nil:
			t.Fatalf("value %v with error %v", v, err)
		case err == nil && len(b) != 2*l.Words():
			t.Fatalf("%d bytes read as %d registers", len(b), l.Words())
		case v.Kind() == point.Float && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)):
			t.Fatalf("got %v", v)
		}
		if err != nil || l.Kind() == point.Float && (scale != 0 && scale != 1 || offset != 0 || round >= 0) {
			return // several raw values may give one float
		}
		if len(v.Text()) > 2*len(b) || v.Kind() == point.Text && l.Enum() == nil && hasReplacement(v.Text()) {
			return // U+FFFD stands for what has been lost
		}
		if err := checkRoundTrip(l, z.config(), b, v); err != nil {
			t.Error(err)
		}
	})
}

func hasReplacement(s string) bool {
	for _, r := range s {
		if r == '\uFFFD' {
			return true
		}
	}
	return false
}

// FuzzEncode checks that nothing is written that would be read as something else:
// what Encode takes is read back as the nearest value there is, and an error
// leaves the registers as they were.
func FuzzEncode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, typ, order uint8, low, width, words int, scale, offset float64, round int, special uint8, b []byte) {
		l, err := layout.New(fuzzed{typ, order, low, width, words, scale, offset, -1, special &^ 19}.config())
		if err != nil || scale != 0 && (math.Abs(scale) < 1e-9 || math.Abs(scale) > 1e9) || math.Abs(offset) > 1e9 {
			return
		}
		registers := make([]byte, 2*l.Words())
		for _, v := range []point.Value{
			point.IntValue(int64(round)), point.FloatValue(offset + float64(round)*scale), point.TextValue(string(b)), point.BoolValue(low&1 != 0),
		} {
			before := string(registers)
			if err := l.Encode(registers, v); err != nil {
				if string(registers) != before {
					t.Fatalf("%v: %v, and yet %x became %x", v, err, before, registers)
				}
				continue
			}
			got, err := l.Decode(registers)
			if err != nil {
				t.Fatalf("%v was written as %x, which is %v", v, registers, err)
			}
			again := make([]byte, len(registers))
			if err := l.Encode(again, got); err != nil && l.Kind() != point.Float && !hasReplacement(got.Text()) {
				t.Fatalf("%v was written as %x, read as %v, refused: %v", v, registers, got, err)
			}
		}
	})
}
