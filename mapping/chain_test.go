package mapping_test

import (
	"testing"

	"sluice/mapping"
)

// FuzzWalk has devices list whatever they like: the walk ends, and no point comes
// to stand outside of the registers there are by more than its own length.
func FuzzWalk(f *testing.F) {
	f.Add([]byte("SunS\x00\x01\x00\x42\x00\x67\x00\x32\xff\xff\x00\x00"))
	f.Add([]byte("SunS\x00\x00\x00\x00"))
	f.Add([]byte("SunS\x00\x67\xff\xff"))
	f.Fuzz(func(t *testing.T, says []byte) {
		d := &mapping.Device{Unit: 1, Chain: &mapping.Chain{Bases: []uint16{40000, 65535, 0}, Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}, {IDs: []uint16{103}, At: 40070}}},
			Points: []mapping.Point{{ID: "a", Register: mapping.Register{Table: mapping.Holding, Address: 40004}}, {ID: "b", Register: mapping.Register{Table: mapping.Input, Address: 40084}}}}
		w := mapping.NewWalk(d)
		for asked := 1; ; asked++ {
			if asked > 80 {
				t.Fatal("the walk does not end")
			}
			if req := w.Next(); req.Count != 2 {
				t.Fatalf("asks for %d registers", req.Count)
			}
			var data []byte
			if len(says) >= 4 {
				data, says = says[:4], says[4:]
			}
			if w.Tell(data) {
				break
			}
		}
		moved, why := w.Moved()
		if len(why) != len(moved.Points) || why[1] != "" || moved.Points[1].Register.Address != 40084 {
			t.Errorf("a point outside of the models has moved: %+v %q", moved.Points[1].Register, why)
		}
		if d.Points[0].Register.Address != 40004 {
			t.Error("the device itself was changed")
		}
	})
}
