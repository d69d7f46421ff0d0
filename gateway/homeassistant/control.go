package homeassistant

import "sluice/mapping/point"

// Control is how a point is written from Home Assistant.
type Control struct {
	Topic          string   // of commands, which are the bare value
	Options        []string // all values; empty: a number from Min to Max, or a truth value
	Min, Max, Step float64  // Step 0: any number between
}

// The platforms of entities that can be written.
const (
	number       = "number"
	switched     = "switch"
	choice       = "select"
	smallestStep = 0.001 // that Home Assistant takes
)

// controlled is the platform of a point that can be written; ok is false where there
// is none for it.
func (p *Point) controlled() (platform string, ok bool) {
	switch {
	case p.Control == nil:
		return "", false
	case len(p.Control.Options) > 0:
		return choice, true
	case p.Kind == point.Bool:
		return switched, true
	case p.Kind == point.Text:
		return "", false
	default:
		return number, true
	}
}

// control makes an entity one that can be written, which has neither a state class
// nor an end of its validity.
func (c *component) control(p *Point) {
	k := p.Control
	c.CommandTopic, c.StateClass, c.ExpireAfter = k.Topic, "", 0
	switch c.Platform {
	case choice:
		c.Options, c.Unit, c.DeviceClass = k.Options, "", ""
		c.ValueTemplate, c.PayloadOn, c.PayloadOff = "{{ value_json.value }}", "", ""
	case switched:
		c.DeviceClass = ""
	case number:
		c.Min, c.Max, c.Step = &k.Min, &k.Max, k.Step
		if c.Step == 0 && p.Kind == point.Float {
			c.Step = smallestStep
		}
	}
}
