package mapping_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/drivers/modbus"
	"sluice/mapping"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

// obey does to registers what a device does on a write (Modbus Application
// Protocol V1.1b3, 6.5 to 6.16).
func obey(t *testing.T, registers []byte, r modbus.Request) {
	t.Helper()
	at := registers[2*r.Address:]
	switch r.Function {
	case modbus.WriteSingleRegister:
		if len(r.Data) != 2 {
			t.Fatalf("%v carries % x", r.Function, r.Data)
		}
		copy(at, r.Data)
	case modbus.WriteMultipleRegisters:
		if len(r.Data) != 2*int(r.Count) {
			t.Fatalf("%v of %d carries % x", r.Function, r.Count, r.Data)
		}
		copy(at, r.Data)
	case modbus.MaskWriteRegister:
		and, or := binary.BigEndian.Uint16(r.Data), binary.BigEndian.Uint16(r.Data[2:])
		binary.BigEndian.PutUint16(at, binary.BigEndian.Uint16(at)&and|or&^and)
	default:
		t.Fatalf("%v writes no registers", r.Function)
	}
}

// TestWriteRoundTrip writes random values of all types by all functions over
// random registers: the value comes back, and no other bit has changed.
func TestWriteRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for _, cfg := range layouts() {
		l, err := layout.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []modbus.Function{0, modbus.WriteSingleRegister, modbus.WriteMultipleRegisters, modbus.MaskWriteRegister} {
			if l.Words() > 1 && (f == modbus.WriteSingleRegister || f == modbus.MaskWriteRegister) {
				continue
			}
			p := mapping.Point{Register: mapping.Register{Table: mapping.Holding, Address: 2}, Layout: l, Write: &mapping.Writable{Function: f}}
			for range 50 {
				v := randomValue(r, l)
				if !v.ok {
					continue
				}
				tried++
				roundTrip(t, &p, v.value, randomBytes(r, 2*(4+l.Words())))
			}
		}
	}
	if tried < 2000 {
		t.Errorf("only %d writes tried", tried)
	}
}

func roundTrip(t *testing.T, p *mapping.Point, v point.Value, before []byte) {
	t.Helper()
	from, to := 2*2, 2*(2+p.Layout.Words())
	after, want := append([]byte(nil), before...), append([]byte(nil), before...)
	if err := p.Layout.Encode(want[from:to], v); err != nil {
		t.Fatal(err)
	}
	var current []byte
	if !p.Fills() {
		current = before[from:to]
	}
	req, err := p.WriteRequest(7, v, current)
	if err != nil || req.Unit != 7 || req.Address != 2 {
		t.Fatalf("%v: %+v, %v", v, req, err)
	}
	obey(t, after, req)
	if got, err := p.Layout.Decode(after[from:to]); err != nil || got != v || string(after) != string(want) {
		t.Fatalf("function %d: %v over % x became % x, which reads %v, %v", req.Function, v, before, after, got, err)
	}
}

func layouts() []layout.Config {
	var all []layout.Config
	modes, err := layout.NewEnum([]int64{0, 1, 700}, []string{"off", "auto", "manual"})
	if err != nil {
		panic(err)
	}
	for _, typ := range []layout.Type{
		layout.Int8High, layout.Int8Low, layout.Uint8High, layout.Uint8Low, layout.Int16, layout.Uint16, layout.Int32, layout.Uint32,
		layout.Int64, layout.Uint64, layout.Float32, layout.Float64,
	} {
		all = append(all, layout.Config{Type: typ})
	}
	return append(all, layout.Config{Type: layout.Bool}, layout.Config{Type: layout.Bool, Bits: layout.Bits{Low: 15, Width: 1}},
		layout.Config{Type: layout.Uint16, Bits: layout.Bits{Low: 4, Width: 4}}, layout.Config{Type: layout.Uint16, Enum: modes},
		layout.Config{Type: layout.Int16, Scale: 0.1, Offset: -40}, layout.Config{Type: layout.Uint32, Scale: 0.001}, layout.Config{Type: layout.String, Words: 4})
}

type maybe struct {
	value point.Value
	ok    bool
}

// randomValue is what random registers hold.
func randomValue(r *rand.Rand, l layout.Layout) maybe {
	b := randomBytes(r, 2*l.Words())
	if e := l.Enum(); e != nil {
		return maybe{point.TextValue(e.Names()[r.IntN(3)]), true}
	}
	if l.Kind() == point.Text {
		for i := range b {
			b[i] = 'a' + b[i]%26
		}
	}
	v, err := l.Decode(b)
	return maybe{v, err == nil}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestWriteRequest(t *testing.T) {
	coil := pointAt("pump", mapping.Coil, 3, 0)
	low := pointAt("low", mapping.Holding, 4, layout.Uint8Low)
	single := pointAt("level", mapping.Holding, 5, layout.Uint16)
	long := pointAt("total", mapping.Holding, 6, layout.Uint32)
	for _, tt := range []struct {
		point    mapping.Point
		function modbus.Function
		value    point.Value
		current  string
		want     modbus.Request
		err      string
	}{
		{coil, 0, point.BoolValue(true), "", modbus.Request{Function: 5, Address: 3, Count: 1, Data: []byte{0xFF, 0}}, ""},
		{coil, 5, point.BoolValue(false), "", modbus.Request{Function: 5, Address: 3, Count: 1, Data: []byte{0, 0}}, ""},
		{coil, 15, point.BoolValue(true), "", modbus.Request{Function: 15, Address: 3, Count: 1, Data: []byte{1}}, ""},
		{coil, 15, point.BoolValue(false), "", modbus.Request{Function: 15, Address: 3, Count: 1, Data: []byte{0}}, ""},
		{coil, 0, point.IntValue(1), "", modbus.Request{}, "1 is neither true nor false"},
		{single, 0, point.IntValue(0x1234), "", modbus.Request{Function: 6, Address: 5, Count: 1, Data: []byte{0x12, 0x34}}, ""},
		{single, 16, point.IntValue(1), "", modbus.Request{Function: 16, Address: 5, Count: 1, Data: []byte{0, 1}}, ""},
		{single, 22, point.IntValue(0x1234), "", modbus.Request{Function: 22, Address: 5, Count: 1, Data: []byte{0, 0, 0x12, 0x34}}, ""},
		{single, 0, point.IntValue(70000), "", modbus.Request{}, "70000 is out of range"},
		{long, 0, point.IntValue(1), "", modbus.Request{Function: 16, Address: 6, Count: 2, Data: []byte{0, 0, 0, 1}}, ""},
		{low, 0, point.IntValue(5), "\xAB\xCD", modbus.Request{Function: 6, Address: 4, Count: 1, Data: []byte{0xAB, 5}}, ""},
		{low, 0, point.IntValue(5), "", modbus.Request{}, "must be read first"},
		{low, 22, point.IntValue(5), "", modbus.Request{Function: 22, Address: 4, Count: 1, Data: []byte{0xFF, 0, 0, 5}}, ""},
	} {
		p := tt.point
		p.Write = &mapping.Writable{Function: tt.function}
		var current []byte
		if tt.current != "" {
			current = []byte(tt.current)
		}
		got, err := p.WriteRequest(0, tt.value, current)
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s by %d: got %v, want %s", p.ID, tt.function, err, tt.err)
			}
		case err != nil || got.Function != tt.want.Function || got.Address != tt.want.Address || got.Count != tt.want.Count || string(got.Data) != string(tt.want.Data):
			t.Errorf("%s by %d: got %+v, %v, want %+v", p.ID, tt.function, got, err, tt.want)
		}
	}
}

func TestWritableCheck(t *testing.T) {
	stepped := mapping.Writable{Bounded: true, Min: 2, Max: 9.5, Step: 0.1}
	listed := mapping.Writable{Values: []point.Value{point.FloatValue(0), point.FloatValue(5)}}
	words := mapping.Writable{Values: []point.Value{point.TextValue("auto"), point.TextValue("off")}}
	for _, tt := range []struct {
		w    mapping.Writable
		v    point.Value
		want string
	}{
		{stepped, point.FloatValue(2), ""},
		{stepped, point.FloatValue(9.5), ""},
		{stepped, point.FloatValue(4.7), ""},
		{stepped, point.IntValue(3), ""},
		{stepped, point.FloatValue(1.9), "1.9 is not from 2 to 9.5"},
		{stepped, point.FloatValue(9.6), "not from 2 to 9.5"},
		{stepped, point.FloatValue(4.75), "not a whole number of steps of 0.1 above 2"},
		{stepped, point.FloatValue(math.NaN()), "not from"},
		{stepped, point.TextValue("3"), "not from"},
		{listed, point.IntValue(5), ""},
		{listed, point.UintValue(0), ""},
		{listed, point.IntValue(1), "1 is not allowed: it is one of 0, 5"},
		{words, point.TextValue("auto"), ""},
		{words, point.TextValue("on"), "on is not allowed: it is one of auto, off"},
		{mapping.Writable{}, point.BoolValue(true), ""},
	} {
		err := tt.w.Check(tt.v)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: got %v, want %s", tt.v, err, tt.want)
		}
	}
}
