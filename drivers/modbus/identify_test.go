package modbus_test

import (
	"bytes"
	"testing"

	"sluice/drivers/modbus"
)

// The reply is the example of Modbus Application Protocol V1.1b3, section 6.21.
func TestIdentification(t *testing.T) {
	reply := append([]byte{7, 43, 14, 1, 1, 0xFF, 2, 3, 0, 22}, "Company identification"...)
	reply = append(append(reply, 1, 12), "Product code"...)
	reply = append(append(reply, 2, 5), "V2.11"...)
	data, err := modbus.NewClient(&transport{reply: reply}).Do(modbus.IdentificationRequest(7, modbus.BasicIdentification, 0), modbus.Timing{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := modbus.ParseIdentification(data)
	if err != nil || id.Conformity != 1 || !id.More || id.Next != 2 || len(id.Objects) != 3 {
		t.Fatalf("%+v, %v", id, err)
	}
	for i, want := range []string{"Company identification", "Product code", "V2.11"} {
		if got := id.Objects[i]; got.ID != byte(i) || string(got.Value) != want {
			t.Errorf("object %d is %d %q, want %q", i, got.ID, got.Value, want)
		}
	}
}

func FuzzIdentification(f *testing.F) {
	f.Add([]byte{14, 1, 1, 0, 0, 1, 0, 2, 'A', 'B'})
	f.Add([]byte{14, 1, 1, 0, 0, 0})
	f.Add([]byte{14, 1, 1, 0, 0, 255, 0, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := modbus.ParseIdentification(data)
		if err != nil {
			return
		}
		again := bytes.Clone(data[:6])
		for _, o := range id.Objects {
			again = append(append(again, o.ID, byte(len(o.Value))), o.Value...)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("% x reads as %+v", data, id)
		}
	})
}

// While a reply comes in, its shape never asks for more than the whole reply has,
// and never changes its mind.
func FuzzShape(f *testing.F) {
	f.Add(uint8(3), []byte{0, 0, 0, 2}, []byte{4, 0, 1, 0, 2})
	f.Add(uint8(8), []byte{0, 0, 1, 2}, []byte{0, 0, 1, 2})
	f.Add(uint8(17), []byte{}, []byte{2, 'A', 0xFF})
	f.Add(uint8(20), []byte{7, 6, 0, 4, 0, 1, 0, 1}, []byte{4, 3, 6, 0, 1})
	f.Add(uint8(24), []byte{0, 0}, []byte{0, 4, 0, 1, 0, 7})
	f.Add(uint8(43), []byte{14, 1, 0}, []byte{14, 1, 1, 0, 0, 2, 0, 2, 'A', 'B', 1, 1, 'C'})
	f.Fuzz(func(t *testing.T, function uint8, request, reply []byte) {
		shape, err := modbus.ShapeOf(modbus.Function(function), request)
		if err != nil {
			return
		}
		size, ok := shape.Match(modbus.Function(function), reply)
		if !ok || size != len(reply) {
			return
		}
		if size > 252 && !shape.Open() {
			t.Errorf("a reply of %d bytes fits no frame", size)
		}
		for n, last := 0, 0; n <= len(reply); n++ {
			size, ok := shape.Match(modbus.Function(function), reply[:n])
			if !ok || size > len(reply) || size < last {
				t.Fatalf("%d of %d bytes: size %d, %v", n, len(reply), size, ok)
			}
			last = size
		}
	})
}
