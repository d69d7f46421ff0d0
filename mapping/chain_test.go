package mapping_test

import (
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// TestChainScale refuses a scale that stands in another model than its value: a
// device may have moved the two apart.
func TestChainScale(t *testing.T) {
	for sf, want := range map[string]string{"0x9C4B": "", "0x9C60": "the scale of point \"w\" is in another model"} {
		text := `{devices: [{id: d, bus: b, unit: 1, sunspec: {bases: [40000], models: [{ids: [1], at: holding 0x9C42}, {ids: [103], at: holding 0x9C50}]},
			points: [{id: w, register: holding 0x9C4A, type: int16, scale_from: sf}, {id: sf, register: holding ` + sf + `, type: int16}]}]}`
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		f := mapping.NewFile("site.yaml", []byte(text))
		mapping.ReadDevices([]mapping.Node{f.Root(&doc).Map("devices").Get("devices")}, mapping.Site{Buses: []mapping.Bus{{ID: "b"}}})
		if err := f.Problems.Err(); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("scale at %s: %v, want %q", sf, err, want)
		}
	}
}

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
