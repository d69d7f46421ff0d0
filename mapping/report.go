package mapping

import (
	"strconv"
	"strings"
	"time"

	"sluice/mapping/point"
)

// Limits of the times between two messages of a point.
const (
	maxMinInterval = 24 * time.Hour
	maxMaxInterval = 7 * 24 * time.Hour
)

// Report says which readings of a point are worth a message. A change of quality
// or of its reason always is, and so is the first reading.
type Report struct {
	When Occasion
	// Deadband is how far a number may move from the one published last without
	// being published: absolute, or in percent of that one. 0: not at all.
	Deadband float64
	Percent  bool
	// Swing is how far a number may be from the straight line through those
	// published before and after it. 0: there is no swinging door.
	Swing       float64
	MinInterval time.Duration // between two messages; a swinging door knows none
	MaxInterval time.Duration // after which an unchanged value is repeated; 0: never
	// Steps says that the values add up: a change is any value but 0, also one
	// equal to the value before.
	Steps bool
}

// Occasion is when a reading is published.
type Occasion uint8

// The occasions.
const (
	Always   Occasion = iota // whenever the point was read
	OnChange                 // when the value has changed, as Report says
	Never
)

// reportKeys are the keys that readReport understands.
var reportKeys = []string{"publish", "deadband", "swinging_door", "min_interval", "max_interval"}

// readReport reads what `defaults`, a device or a point says on top of what holds
// around it. What only makes sense with changes implies them.
func readReport(m Map, outer Report) Report {
	r := outer
	r.MinInterval = m.Get("min_interval").Duration(0, maxMinInterval, outer.MinInterval)
	r.MaxInterval = m.Get("max_interval").Duration(minInterval, maxMaxInterval, outer.MaxInterval)
	band, door, most := m.Get("deadband"), m.Get("swinging_door"), m.Get("max_interval")
	switch {
	case door.Present():
		r.Swing = readSwing(door)
		if band.Present() || r.Swing > 0 {
			r.Deadband, r.Percent = readBand(band)
		}
	case band.Present():
		r.Deadband, r.Percent = readBand(band)
		r.Swing = 0
	}
	if r.Deadband > 0 && r.Swing > 0 && door.Present() {
		door.Problem("keep one of the two; deadband: 0 takes that of a template away", "a swinging door decides by itself what a deadband would")
	}
	if band.Present() || door.Present() || most.Present() {
		r.When = OnChange
	}
	readOccasion(m.Get("publish"), &r)
	if r.MaxInterval > 0 && r.MinInterval > r.MaxInterval {
		m.node.Problem("make min_interval the shorter one", "min_interval %s is longer than max_interval %s",
			FormatDuration(r.MinInterval), FormatDuration(r.MaxInterval))
	}
	return r
}

func readOccasion(n Node, r *Report) {
	if !n.Present() {
		return
	}
	switch n.Choice("always", "on-change", "never") {
	case "always":
		r.When, r.Deadband, r.Percent, r.Swing = Always, 0, false, 0
	case "on-change":
		r.When = OnChange
	case "never":
		r.When = Never
	}
}

// readBand reads 0.5, or 1% of the value published last.
func readBand(n Node) (band float64, percent bool) {
	if !n.Present() {
		return 0, false
	}
	text, percent := strings.CutSuffix(n.Text(), "%")
	band, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(band >= 0 && band <= maxBand) || percent && band > 100 {
		n.Problem("write how far the value may move, in its unit or in percent: 0.5, 1%", "%q is not a deadband", n.Text())
		return 0, false
	}
	return band, percent
}

// maxBand keeps infinities out.
const maxBand = 1e300

func readSwing(n Node) float64 {
	swing := n.number(0)
	if swing < 0 || swing > maxBand {
		n.Problem("write how far a value may be from the line, in its unit, e.g. 0.5", "a swinging door cannot be narrower than 0")
		return 0
	}
	return swing
}

// checkReport reports a band for what is no number, and what would leave out steps
// of a counter.
func (p *Point) checkReport(m Map) {
	if p.Counter != nil && p.Counter.Delta {
		p.keepSteps(m)
	}
	if p.numeric() {
		return
	}
	for _, key := range []string{"deadband", "swinging_door"} {
		if n := m.Get(key); n.Present() {
			n.Problem("leave it out, or write publish: on-change", "only a number can move a little; this point is %s", p.kindName())
		}
	}
}

// keepSteps has every step of a counter published, whatever defaults or the device
// say about bands: consumers add them up.
func (p *Point) keepSteps(m Map) {
	for _, key := range []string{"deadband", "swinging_door", "min_interval"} {
		if n := m.Get(key); n.Present() {
			n.Problem("leave it out, or publish the total with as: total", "steps add up, and this would leave some of them out")
		}
	}
	p.Report = Report{When: p.Report.When, MaxInterval: p.Report.MaxInterval, Steps: true}
}

func (p *Point) kindName() string {
	if p.Kind() == point.Text {
		return "a text"
	}
	return "on or off"
}

func (p *Point) numeric() bool {
	k := p.Kind()
	return k != point.Text && k != point.Bool
}
