package layout_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// TestOrders holds the orders to the letters of manuals, by values worked out by
// hand.
func TestOrders(t *testing.T) {
	for _, tt := range []struct {
		typ    layout.Type
		want   point.Value
		orders string
		wire   string
	}{
		{layout.Float32, point.FloatValue(230.5), "ABCD CDAB BADC DCBA", "43668000 80004366 66430080 00806643"},
		{layout.Int32, point.IntValue(-123456), "ABCD CDAB BADC DCBA", "fffe1dc0 1dc0fffe feffc01d c01dfeff"},
		{layout.Uint32, point.UintValue(305419896), "ABCD CDAB BADC DCBA", "12345678 56781234 34127856 78563412"},
		{layout.Int16, point.IntValue(-123), "AB BA", "ff85 85ff"},
		{layout.Int16, point.IntValue(-123), "", "ff85 ff85 85ff 85ff ff85 ff85 85ff 85ff"},
		{layout.Uint48, point.UintValue(0x010203040506), "ABCDEF EFCDAB BADCFE FEDCBA",
			"010203040506 050603040102 020104030605 060504030201"},
		{layout.Float64, point.FloatValue(230.5), "ABCDEFGH GHEFCDAB BADCFEHG HGFEDCBA EFGHABCD CDABGHEF",
			"406cd00000000000 00000000d000406c 6c4000d000000000 0000000000d06c40 00000000406cd000 d000406c00000000"},
		{layout.Uint64, point.UintValue(0x0102030405060708), "ABCD CDAB BADC DCBA EFGHABCD CDABGHEF FEHGBADC DCBAHGFE",
			"0102030405060708 0708050603040102 0201040306050807 0807060504030201 " +
				"0506070801020304 0304010207080506 0605080702010403 0403020108070605"},
	} {
		names, words := strings.Fields(tt.orders), compile(t, layout.Config{Type: tt.typ}).Words()
		if len(names) == 0 { // as a rule for all values of a device
			names, words = layout.OrderNames(0), 0
		}
		for i, wire := range strings.Fields(tt.wire) {
			order, err := layout.ParseOrder(names[i], words)
			if err != nil {
				t.Error(err)
				continue
			}
			got, err := compile(t, layout.Config{Type: tt.typ, Order: order}).Decode(unhex(t, wire))
			if err != nil || got != tt.want {
				t.Errorf("%v %s, %s: got %v, %v, want %v", tt.typ, names[i], wire, got, err, tt.want)
			}
		}
	}
}

func TestOrderNames(t *testing.T) {
	for words, want := range []string{
		"ABCD CDAB BADC DCBA EFGHABCD CDABGHEF FEHGBADC DCBAHGFE",
		"AB BA",
		"ABCD CDAB BADC DCBA",
		"ABCD ABCDEF CDAB EFCDAB BADC BADCFE DCBA FEDCBA",
		"ABCD ABCDEFGH CDAB GHEFCDAB BADC BADCFEHG DCBA HGFEDCBA EFGHABCD CDABGHEF FEHGBADC DCBAHGFE",
	} {
		names := layout.OrderNames(words)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%d registers:\n got %s\nwant %s", words, got, want)
		}
		for _, name := range names {
			o, err := layout.ParseOrder(name, words)
			if err != nil || !slices.Contains([]string{o.String(), o.Letters(words)}, name) {
				t.Errorf("ParseOrder(%q, %d) = %v, %v", name, words, o, err)
			}
		}
	}
}

func TestAllOrders(t *testing.T) {
	var all []string
	for words := range 5 {
		for _, name := range layout.OrderNames(words) {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	if got := layout.AllOrders(); !slices.Equal(got, all) {
		t.Errorf("got %q, want %q", got, all)
	}
}

func TestParseOrderRefuses(t *testing.T) {
	for _, tt := range []struct {
		letters string
		words   int
		want    string
	}{
		{"CDAB", 1, `"CDAB" is not an order of one register: write AB, BA`},
		{"BA", 2, `"BA" is not an order of 2 registers: write ABCD, CDAB, BADC, DCBA`},
		{"EFGHABCD", 2, `"EFGHABCD" is not an order of 2 registers: write ABCD, CDAB, BADC, DCBA`},
		{"AB", 0, `"AB" is not an order of values of any length: write ABCD, CDAB, BADC, DCBA, EFGHABCD, CDABGHEF, FEHGBADC, DCBAHGFE`},
		{"", 1, `"" is not an order of one register: write AB, BA`},
		{"abcd", 2, `"abcd" is not an order of 2 registers: write ABCD, CDAB, BADC, DCBA`},
	} {
		if _, err := layout.ParseOrder(tt.letters, tt.words); err == nil || err.Error() != tt.want {
			t.Errorf("ParseOrder(%q, %d): error %v, want %q", tt.letters, tt.words, err, tt.want)
		}
	}
}
