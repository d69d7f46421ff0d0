package mapping_test

import (
	"testing"

	"sluice/mapping"
)

func TestSame(t *testing.T) {
	const voltage = "{id: u, register: input 0x0000, type: float32, invalid: [0xFFFFFFFF]}, "
	sum := func(formula string) mapping.Device { return readSite(t, voltage+"{id: p, expr: "+formula+"}") }
	one := sum("u * 2")
	for _, tt := range []struct {
		name  string
		other mapping.Device
		same  bool
	}{
		{"read again", sum("u * 2"), true},
		{"another formula", sum("u * 3"), false},
		{"another layout", readSite(t, "{id: u, register: input 0x0000, type: int32}, {id: p, expr: u * 2}"), false},
		{"another unit", readSite(t, voltage+"{id: p, expr: u * 2, unit: V}"), false},
		{"further down in its file", func() mapping.Device {
			d := sum("u * 2")
			d.Place.Line += 10
			d.Points[0].Place.Line += 10
			return d
		}(), true},
	} {
		if same := one.Same(&tt.other); same != tt.same {
			t.Errorf("%s: %v", tt.name, same)
		}
	}
	if one.Derived[0].Formula == nil || one.Points[0].Place.Line == 0 {
		t.Error("comparing changes what is compared")
	}
}
