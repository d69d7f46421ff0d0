package publish

import (
	"path"
	"slices"
	"time"

	"sluice/broker/topic"
	"sluice/mapping"
	"sluice/mapping/payload"
)

// Output is one way in which readings leave: to which topics, in which form. A
// topic with {point} in it has one message for each point; without, one for each
// device and group of points of the same interval.
type Output struct {
	ID     string // empty for the first
	Topic  topic.Template
	Format payload.Format
	Retain bool
	// Interval is between two messages of a topic: the first reading in each
	// interval of the clock is published, changed or not, and every change of
	// quality. 0: what each point's Report lets through.
	Interval        time.Duration
	Devices, Points []string // patterns of ids, as path.Match has them; empty: all
}

// Placeholders are those that a topic may hold besides labels.
func Placeholders() []string {
	return []string{"site", "gateway", "device", "point", "template"}
}

// Grouped reports whether a message is about several points.
func (o *Output) Grouped() bool { return !o.Topic.Has("point") }

// Carries reports whether the output publishes a point.
func (o *Output) Carries(d *mapping.Device, p *mapping.Point) bool {
	return p.Report.When != mapping.Never && matches(o.Devices, d.ID) && matches(o.Points, p.ID)
}

func matches(patterns []string, id string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, id)
		return ok
	})
}

// TopicOf renders the topic of a point.
func (c *Config) TopicOf(o *Output, d *mapping.Device, p *mapping.Point) string {
	return o.Topic.Render(func(name string) string {
		switch name {
		case "site":
			return c.Site
		case "gateway":
			return c.Gateway
		case "device":
			return d.ID
		case "point":
			return p.ID
		case "template":
			return d.Template
		default:
			return d.Labels[name]
		}
	})
}

// Topics are all that is published to, each once.
func (c *Config) Topics() []string {
	var topics []string
	seen := map[string]bool{}
	c.each(func(o *Output, d *mapping.Device, p *mapping.Point) {
		if name := c.TopicOf(o, d, p); !seen[name] {
			seen[name] = true
			topics = append(topics, name)
		}
	})
	return topics
}

// each visits every point of every output.
func (c *Config) each(visit func(*Output, *mapping.Device, *mapping.Point)) {
	for i := range c.Outputs {
		for j := range c.Devices {
			d := &c.Devices[j]
			for p := range d.Every() {
				if c.Outputs[i].Carries(d, p) {
					visit(&c.Outputs[i], d, p)
				}
			}
		}
	}
}

// Regular is what is published on one topic at one interval.
type Regular struct {
	Output   *Output
	Device   *mapping.Device
	Points   []*mapping.Point // in each message
	Topic    string
	Interval time.Duration // at the shortest
}

// Messages are all messages that are published again and again, in the order of
// outputs, devices and points.
func (c *Config) Messages() []Regular {
	var all []Regular
	groups := map[groupID]int{}
	c.each(func(o *Output, d *mapping.Device, p *mapping.Point) {
		id := groupOf(o, d, p)
		if at, ok := groups[id]; ok {
			all[at].Points = append(all[at].Points, p)
			return
		}
		groups[id] = len(all)
		all = append(all, Regular{o, d, []*mapping.Point{p}, c.TopicOf(o, d, p), o.every(p)})
	})
	return all
}

// every is how often a point is published at most.
func (o *Output) every(p *mapping.Point) time.Duration {
	return max(o.Interval, p.Interval, p.Report.MinInterval)
}

// Writer writes the messages about a device, or about a point if it has them for
// itself.
func (c *Config) Writer(o *Output, d *mapping.Device, p *mapping.Point) *payload.Writer {
	return o.Format.Writer(c.source(o, d, p))
}

// source describes a device to a writer of payloads, and a point if it has the
// messages for itself.
func (c *Config) source(o *Output, d *mapping.Device, p *mapping.Point) payload.Source {
	s := payload.Source{Site: c.Site, Gateway: c.Gateway, Device: d.ID, Name: d.Name, Template: d.Template, Labels: d.Labels}
	if !o.Grouped() {
		s.Point = p.ID
	}
	return s
}
