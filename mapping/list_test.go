package mapping_test

import (
	"encoding/binary"
	"testing"

	"sluice/mapping"
)

// TestListIsWalked has a walk along what a device would list: it ends where it
// began, wherever the list begins.
func TestListIsWalked(t *testing.T) {
	for _, base := range []uint16{40000, 39990, 0} {
		d := &mapping.Device{Unit: 1, Chain: &mapping.Chain{
			Bases:  []uint16{base},
			Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}, {IDs: []uint16{101, 103}, At: 40070}},
		}, Points: []mapping.Point{{ID: "a", Register: mapping.Register{Table: mapping.Holding, Address: 40080}}}}
		list := d.List()
		w := mapping.NewWalk(d)
		for {
			at := w.Next().Address
			data := binary.BigEndian.AppendUint16(nil, list[at])
			if w.Tell(binary.BigEndian.AppendUint16(data, list[at+1])) {
				break
			}
		}
		moved, why := w.Moved()
		if why[0] != "" || moved.Points[0].Register != d.Points[0].Register {
			t.Errorf("base %d: the point is at %v, %q", base, moved.Points[0].Register, why[0])
		}
	}
	d := &mapping.Device{Chain: &mapping.Chain{Bases: []uint16{40001, 65000}, Models: []mapping.Model{{IDs: []uint16{1}, At: 40002}}}}
	if list := d.List(); len(list) > 0 {
		t.Errorf("a list without a base that fits: %v", list)
	}
}
