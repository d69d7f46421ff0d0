package mapping_test

import (
	"testing"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/point"
)

// TestNamedStates reads and writes a coil whose states have names.
func TestNamedStates(t *testing.T) {
	d := readSite(t, `{id: valve, register: coil 0x0000, enum: {0: closed, 1: open}, write: {enum: [open]}},
		{id: latch, register: coil 0x0001, enum: {1: set}}`)
	b := &plan(&d, mapping.Terms{Line: slow})[0]
	reading := func(id, text string, q point.Quality, reason string) point.Reading {
		return point.Reading{Device: "d", Point: id, Value: point.TextValue(text), Quality: q, Reason: reason}
	}
	compare(t, b.AppendReadings(nil, "d", []byte{0b01}, time.Time{}), []point.Reading{
		reading("valve", "open", point.Good, ""), reading("latch", "0", point.Uncertain, "0 has no name"),
	})
	compare(t, b.AppendReadings(nil, "d", []byte{0b10}, time.Time{}), []point.Reading{
		reading("valve", "closed", point.Good, ""), reading("latch", "set", point.Good, ""),
	})
	valve := &d.Points[0]
	for _, tt := range []struct {
		v    point.Value
		data string
		err  bool
	}{
		{point.TextValue("open"), "\xff\x00", false},
		{point.TextValue("closed"), "\x00\x00", false},
		{point.UintValue(1), "\xff\x00", false},
		{point.TextValue("ajar"), "", true},
		{point.UintValue(2), "", true},
	} {
		req, err := valve.WriteRequest(7, tt.v, nil)
		if (err != nil) != tt.err || err == nil && (string(req.Data) != tt.data || req.Function != modbus.WriteSingleCoil) {
			t.Errorf("%v: %+v, %v", tt.v, req, err)
		}
	}
	if valve.Kind() != point.Text || !valve.Fills() || valve.Write.Check(point.TextValue("open")) != nil || valve.Write.Check(point.TextValue("closed")) == nil {
		t.Errorf("kind %v, write %+v", valve.Kind(), valve.Write)
	}
}

// TestBitsOfNothing has a device without a status say so in all bits of it.
func TestBitsOfNothing(t *testing.T) {
	d := readSite(t, `{id: status, register: holding 0x0000, invalid: [0xFFFF]}, {id: alarm, of: status, bits: 3}, {id: mode, of: status, bits: 4..7}`)
	for _, b := range plan(&d, mapping.Terms{Line: slow}) {
		for _, r := range b.AppendReadings(nil, "d", []byte{0xFF, 0xFF}, time.Time{}) {
			if r.Quality != point.Bad || r.Reason != "not available" {
				t.Errorf("%s is %v %s, want no value", r.Point, r.Value, r.Reason)
			}
		}
		if r := b.AppendReadings(nil, "d", []byte{0xFF, 0xF8}, time.Time{})[1]; r.Value != point.BoolValue(true) {
			t.Errorf("%s is %v %s", r.Point, r.Value, r.Reason)
		}
	}
}
