package mapping

import (
	"reflect"
	"slices"
)

// Same reports whether two devices mean the same, wherever they stand in files.
func (d *Device) Same(other *Device) bool {
	a, formulas := d.bare()
	b, others := other.bare()
	return slices.Equal(formulas, others) && reflect.DeepEqual(a, b)
}

// bare is a device without places and without its formulas, of which only the text
// can be compared.
func (d *Device) bare() (bare Device, formulas []string) {
	bare = *d
	bare.Place = Place{}
	for _, list := range []*[]Point{&bare.Points, &bare.Derived} {
		*list = slices.Clone(*list)
		for i := range *list {
			p := &(*list)[i]
			if p.Formula != nil {
				formulas = append(formulas, p.Formula.String())
			}
			p.Place, p.Formula = Place{}, nil
		}
	}
	return bare, formulas
}
