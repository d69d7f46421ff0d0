package mapping

import (
	"cmp"
	"slices"

	"sluice/drivers/modbus"
)

const (
	named   = 0.8 // confidence from which a template is worth naming
	clearly = 1.5 // how many times the doubt of the likeliest makes another one not worth it
)

// Likely is a template that a unit may be of.
type Likely struct {
	Template   string
	Confidence float64 // 0 to 1
}

// Recognize tells which templates a unit is likely to be of, the likeliest first;
// none if it is like no one, one where that is clearly likelier than the others. identity is what the unit says of itself, read reads
// registers of it. A template whose rules do not all hold is none of them. What is
// asked for once is not asked for again, and a unit that does not answer twice in a
// row is left alone.
func Recognize(templates []Template, unit modbus.UnitID, identity string, read func(modbus.Request) ([]byte, error)) []Likely {
	w := witness{unit: unit, identity: identity, read: read, heard: map[question][]byte{}}
	var likely []Likely
	for _, t := range templates {
		if c := w.confidence(t.Probe); c >= named {
			likely = append(likely, Likely{t.Name, c})
		}
	}
	slices.SortStableFunc(likely, func(a, b Likely) int { return cmp.Compare(b.Confidence, a.Confidence) })
	if len(likely) == 0 {
		return nil
	}
	doubt := clearly * (1 - likely[0].Confidence)
	return slices.DeleteFunc(likely, func(l Likely) bool { return 1-l.Confidence > doubt })
}

// witness remembers what a unit has answered.
type witness struct {
	unit     modbus.UnitID
	identity string
	read     func(modbus.Request) ([]byte, error)
	heard    map[question][]byte // nil: refused
	silent   int                 // in a row
}

type question struct {
	function       modbus.Function
	address, count uint16
}

// confidence combines the rules of a template: each leaves less room for doubt.
func (w *witness) confidence(rules []Probe) float64 {
	doubt := 1.0
	for i := range rules {
		p := &rules[i]
		if p.Identity != "" && !contained(p.Identity, w.identity) {
			return 0
		}
		if p.Identity == "" && !w.seen(p) {
			return 0
		}
		doubt *= 1 - p.strength()
	}
	return 1 - doubt
}

// seen reports whether the unit has what a rule wants, in one of its places.
func (w *witness) seen(p *Probe) bool {
	return slices.ContainsFunc(p.requests(w.unit), func(req modbus.Request) bool { return p.holds(w.unit, w.ask(req)) })
}

// ask returns the registers of a request, nil if there are none to be had.
func (w *witness) ask(req modbus.Request) []byte {
	q := question{req.Function, req.Address, req.Count}
	if data, ok := w.heard[q]; ok || w.silent > 1 {
		return data
	}
	data, err := w.read(req)
	w.silent++
	if f := modbus.FaultOf(err); f != modbus.Silent && f != modbus.Medium {
		w.silent = 0
	}
	if err != nil {
		data = nil
	}
	w.heard[q] = data
	return data
}
