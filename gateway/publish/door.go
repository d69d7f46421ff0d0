package publish

import (
	"math"

	"sluice/mapping/point"
)

// door is a swinging door: from the reading published last it looks along the
// straight lines that leave every later reading at most the width away, and holds
// the newest reading back for as long as one of these lines ends in it. Whoever
// joins the published readings by straight lines is therefore never further from
// a reading than the width.
type door struct {
	held      point.Reading
	holding   bool
	low, high float64 // slopes that all held readings allow
}

// fits reports whether the line from pivot to r passes by all readings since.
func (d *door) fits(pivot, r point.Reading) bool {
	s := slope(pivot, r)
	return !d.holding || s >= d.low && s <= d.high
}

// hold keeps r back, and narrows the door by it.
func (d *door) hold(pivot, r point.Reading, width float64) {
	if !d.holding {
		d.low, d.high = math.Inf(-1), math.Inf(1)
	}
	d.held, d.holding = r, true
	span := r.Time.Sub(pivot.Time).Seconds()
	if span <= 0 { // the clock was set; the next reading decides anew
		return
	}
	rise := r.Value.Float() - pivot.Value.Float()
	d.low = max(d.low, (rise-width)/span)
	d.high = min(d.high, (rise+width)/span)
}

// open lets out what is held.
func (d *door) open() (point.Reading, bool) {
	held, ok := d.held, d.holding
	*d = door{}
	return held, ok
}

func slope(from, to point.Reading) float64 {
	span := to.Time.Sub(from.Time).Seconds()
	if span <= 0 {
		return math.NaN() // fits no door
	}
	return (to.Value.Float() - from.Value.Float()) / span
}
