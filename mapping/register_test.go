package mapping_test

import (
	"testing"

	"sluice/mapping"
)

func TestParseRegister(t *testing.T) {
	for _, tt := range []struct {
		text, numbering string
		want            string // String of the register; empty when it must be refused
	}{
		{"holding 40001", "modicon", "holding 0x0000 (40001)"},
		{"holding 400001", "modicon", "holding 0x0000 (40001)"},
		{"holding 465536", "modicon", "holding 0xffff (465536)"},
		{"input 30053", "modicon", "input 0x0034 (30053)"},
		{"discrete 10001", "modicon", "discrete 0x0000 (10001)"},
		{"coil 00001", "modicon", "coil 0x0000 (00001)"},
		{"coil 09999", "modicon", "coil 0x270e (09999)"},
		{"Holding  0x0200", "modicon", "holding 0x0200 (40513)"},
		{"input 0x34", "one-based", "input 0x0034 (30053)"},
		{"holding 100", "zero-based", "holding 0x0064 (40101)"},
		{"holding 100", "one-based", "holding 0x0063 (40100)"},
		{"holding 40001", "zero-based", "holding 0x9c41 (440002)"},
		{"coil 0", "zero-based", "coil 0x0000 (00001)"},
		{"holding 65535", "zero-based", "holding 0xffff (465536)"},

		{"holding 0", "one-based", ""},
		{"holding 65536", "zero-based", ""},
		{"holding 65537", "one-based", ""},
		{"holding 0x10000", "modicon", ""},
		{"holding -1", "zero-based", ""},
		{"holding 100", "modicon", ""},
		{"holding 40000", "modicon", ""},
		{"holding 465537", "modicon", ""},
		{"input 40001", "modicon", ""},
		{"holding 20001", "modicon", ""},
		{"holding 0100", "zero-based", ""},
		{"40001", "modicon", ""},
		{"register 40001", "modicon", ""},
		{"holding", "modicon", ""},
		{"", "modicon", ""},
		{"holding 1e3", "zero-based", ""},
	} {
		got, err := mapping.ParseRegister(tt.text, tt.numbering)
		switch {
		case err != nil && tt.want != "":
			t.Errorf("%q %s: %v", tt.text, tt.numbering, err)
		case err == nil && got.String() != tt.want:
			t.Errorf("%q %s = %s, want %s", tt.text, tt.numbering, got, tt.want)
		}
	}
}

// FuzzParseRegister makes sure that what is written back reads as the same
// register.
func FuzzParseRegister(f *testing.F) {
	f.Add("holding 40101", "modicon")
	f.Add("coil 0x7", "zero-based")
	f.Fuzz(func(t *testing.T, text, numbering string) {
		r, err := mapping.ParseRegister(text, numbering)
		if err != nil {
			return
		}
		again, err := mapping.ParseRegister(r.Table.String()+" "+r.Modicon(), "modicon")
		if err != nil || again != r {
			t.Errorf("%q gives %s, and that gives %s, %v", text, r, again, err)
		}
	})
}
