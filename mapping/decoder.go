package mapping

import (
	"time"

	"sluice/mapping/point"
)

// Decoder turns the replies of one device into readings. It remembers what the
// next reply needs of the ones before: the last values of counters, and of points
// that others are computed from. It belongs to one goroutine.
type Decoder struct {
	device  string
	counts  map[string]*countFrom
	derived []*derivation
}

// NewDecoder returns a decoder that remembers nothing yet.
func NewDecoder(d *Device) *Decoder {
	out := &Decoder{device: d.ID, counts: map[string]*countFrom{}}
	for i := range d.Points {
		if d.Points[i].Counter != nil {
			out.counts[d.Points[i].ID] = &countFrom{}
		}
	}
	for i := range d.Derived {
		out.derived = append(out.derived, newDerivation(d.ID, &d.Derived[i]))
	}
	return out
}

// Append decodes the reply to a block's request, as Block.AppendReadings does, and
// appends the readings of the points that can be computed now.
func (d *Decoder) Append(dst []point.Reading, b *Block, data []byte, at time.Time) []point.Reading {
	from := len(dst)
	dst = b.AppendReadings(dst, d.device, data, at)
	for i, p := range b.points {
		if c := p.Counter; c != nil && dst[from+i].Quality != point.Bad {
			d.counts[p.ID].next(c, &dst[from+i])
		}
	}
	return d.Derive(dst, dst[from:])
}

// Derive appends the readings of points that are computed from those in news: once
// all of a point's inputs have been read again, or as soon as one of them has no
// value or an old one.
func (d *Decoder) Derive(dst, news []point.Reading) []point.Reading {
	for _, x := range d.derived {
		if r, ok := x.take(news); ok {
			dst = append(dst, r)
		}
	}
	return dst
}
