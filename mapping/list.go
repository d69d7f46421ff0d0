package mapping

import "math"

// List is what a device that has its models where the points say would hold, for
// those who simulate it: by address the marker, the id and the length of each
// model, and the end. A model that is between two of them has the id of a maker's
// own. Empty if no base fits.
func (d *Device) List() map[uint16]uint16 {
	base, ok := d.base()
	if !ok {
		return nil
	}
	list := map[uint16]uint16{base: 'S'<<8 | 'u', base + 1: 'n'<<8 | 'S'}
	at := int(base) + 2
	add := func(id uint16, end int) {
		list[uint16(at)], list[uint16(at)+1] = id, uint16(end-at-2)
		at = end
	}
	if first := int(d.Chain.Models[0].At); at < first {
		add(ownModel, first)
	}
	for i, m := range d.Chain.Models {
		end := d.end()
		if i+1 < len(d.Chain.Models) {
			end = int(d.Chain.Models[i+1].At)
		}
		add(m.IDs[len(m.IDs)-1], end)
	}
	list[uint16(at)], list[uint16(at)+1] = math.MaxUint16, 0
	return list
}

// ownModel is the id of a model of a maker's own, which have the ids above 64000.
const ownModel = 64999

// base is where the list begins: two registers before the first model, or further.
func (d *Device) base() (uint16, bool) {
	first := int(d.Chain.Models[0].At)
	for _, b := range d.Chain.Bases {
		if gap := first - int(b) - 2; gap == 0 || gap >= 2 {
			return b, d.end() < math.MaxUint16-1
		}
	}
	return 0, false
}

// end is behind the last point and the last model's head.
func (d *Device) end() int {
	end := int(d.Chain.Models[len(d.Chain.Models)-1].At) + 2
	for i := range d.Points {
		if p := &d.Points[i]; p.Register.Table == Holding {
			end = max(end, p.end())
		}
	}
	return end
}
