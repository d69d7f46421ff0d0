package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sluice/broker/topic"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
)

// topicTemplate reads a template of topics for values.
func (r *reader) topicTemplate(n mapping.Node) topic.Template {
	text := n.Text()
	if text == "" {
		text = defaultTopic
	}
	t, err := topic.ParseTemplate(text)
	if err != nil {
		n.Problem("write placeholders such as {device}", "%s", err)
	}
	return t
}

// checkTopics renders the topics of all points and reports what some broker or
// reader would stumble over. topics are where the templates stand. Of each kind
// of problem an output has only the first is told.
func (r *reader) checkTopics(outputs []publish.Output, topics []mapping.Node, devices []mapping.Device) {
	if r.siteID == "" {
		return // which has been told
	}
	c := publish.Config{Site: r.siteID, Gateway: r.gateway, Devices: devices}
	taken := map[string]owner{}
	for i := range outputs {
		check := topicCheck{Config: c, output: &outputs[i], at: topics[i], taken: taken}
		if outputs[i].Topic.String() == "" || !check.known(devices) {
			continue
		}
		for j := range devices {
			check.device(&devices[j])
		}
	}
	for i := range outputs {
		(&topicCheck{Config: c, output: &outputs[i], at: topics[i], taken: taken}).parents()
	}
}

// owner is who publishes on a topic.
type owner struct {
	output *publish.Output
	device *mapping.Device
	point  *mapping.Point
}

// String names the point, or the device where it publishes as a whole.
func (o owner) String() string {
	if o.output.Grouped() {
		return fmt.Sprintf("device %q (%s)", o.device.ID, o.device.Place)
	}
	return fmt.Sprintf("%s/%s (%s)", o.device.ID, o.point.ID, o.point.Place)
}

// topicCheck checks the topics of one output.
type topicCheck struct {
	publish.Config
	output *publish.Output
	at     mapping.Node
	taken  map[string]owner // of all outputs
	told   []string         // kinds of problems
}

// tell reports a problem unless one of its kind was told.
func (c *topicCheck) tell(kind, fix, format string, args ...any) {
	if !slices.Contains(c.told, kind) {
		c.told = append(c.told, kind)
		c.at.Problem(fix, format, args...)
	}
}

// known reports whether the template holds nothing but placeholders that the
// site knows.
func (c *topicCheck) known(devices []mapping.Device) bool {
	labels := map[string]bool{}
	for _, d := range devices {
		for name := range d.Labels {
			labels[name] = true
		}
	}
	names := publish.Placeholders()
	for _, name := range c.output.Topic.Names() {
		if !slices.Contains(names, name) && !labels[name] {
			c.at.Problem("use {"+strings.Join(names, "}, {")+"}, or a label", "{%s} is not known here", name)
			return false
		}
	}
	return true
}

// device checks the topics of one device.
func (c *topicCheck) device(d *mapping.Device) {
	for p := range d.Every() {
		if d.ID == "" || p.ID == "" || !c.output.Carries(d, p) {
			continue // what lacks an id has been told of
		}
		c.reserved(d, p)
		if !c.filled(d) {
			return
		}
		c.point(owner{c.output, d, p})
	}
}

// filled reports whether the device has a value for every placeholder.
func (c *topicCheck) filled(d *mapping.Device) bool {
	for _, name := range c.output.Topic.Names() {
		switch {
		case name == "template" && d.Template == "":
			c.tell("empty", "give it one, or take {template} out", "device %q (%s) has no template", d.ID, d.Place)
			return false
		case !slices.Contains(publish.Placeholders(), name) && d.Labels[name] == "":
			c.tell("empty", fmt.Sprintf("write labels: {%s: ...} for it", name), "device %q (%s) has no label %q", d.ID, d.Place, name)
			return false
		}
	}
	return true
}

// reserved reports an id that the form needs for itself.
func (c *topicCheck) reserved(d *mapping.Device, p *mapping.Point) {
	form := c.output.Format.Form
	if (form == payload.Device || form == payload.Influx) && slices.Contains(payload.Reserved(), p.ID) {
		c.tell("reserved", "give the point another id, or leave it out by points", "point %q of device %q (%s): payload %s uses this name itself",
			p.ID, d.ID, p.Place, form)
	}
}

func (c *topicCheck) point(o owner) {
	at := c.TopicOf(o.output, o.device, o.point)
	if err := topic.CheckPortable(at); err != nil {
		c.tell("portable", `at most 8 levels and 256 bytes of letters, digits, "-" and "_", none empty`, "%s: %s", o, err)
	}
	other, taken := c.taken[at]
	c.taken[at] = o
	switch {
	case !taken || c.may(other, o):
	case other.output != o.output:
		c.tell("twice", "give each output topics of its own, e.g. with another first level", "%s: %s publishes on %s already", o, name(other.output), at)
	default:
		c.tell("clash", "put {device} and {point} into the template, or what else tells them apart", "%s and %s would share the topic %s", other, o, at)
	}
}

// name is what people call an output.
func name(o *publish.Output) string {
	if o.ID == "" {
		return "publish"
	}
	return fmt.Sprintf("output %q", o.ID)
}

// may reports whether two points may share a topic: in one message about the
// device; or if the same id was given twice, which has been told.
func (c *topicCheck) may(a, b owner) bool {
	if a.output != b.output {
		return false
	}
	return c.output.Grouped() && a.device == b.device || a.device.ID == b.device.ID && a.point.ID == b.point.ID
}

// parents reports a value on a topic that has others below it: readers that make
// folders of topics can show only one of the two.
func (c *topicCheck) parents() {
	for _, below := range slices.Sorted(maps.Keys(c.taken)) {
		for i := strings.LastIndexByte(below, '/'); i > 0; i = strings.LastIndexByte(below[:i], '/') {
			if parent, taken := c.taken[below[:i]]; taken && parent.output == c.output {
				c.tell("parent", fmt.Sprintf("add a level to it, e.g. %s/all", c.output.Topic), "%s is published on %s, which has topics below it, such as that of %s",
					parent, below[:i], c.taken[below])
			}
		}
	}
}

// placeholder is one in a filter or a client id.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// filter reads a topic filter in which {site} and {gateway} may stand.
func (r *reader) filter(n mapping.Node) string {
	s := r.expand(n)
	if s == "" {
		if n.Present() {
			n.Problem("write \"#\" for everything, or a filter such as \"{site}/#\"", "is empty")
		}
		return ""
	}
	if err := topic.CheckFilter(s); err != nil {
		n.Problem("write topic levels; + stands for one level, # at the end for all below", "%q: %s", n.Text(), err)
	}
	if strings.HasPrefix(s, "$") {
		n.Problem("leave it out", "topics that begin with $ belong to the broker itself and are never bridged")
	}
	return s
}

// expand returns the text at n with {site} and {gateway} filled in; further are
// the placeholders that may remain.
func (r *reader) expand(n mapping.Node, further ...string) string {
	s := strings.NewReplacer("{site}", r.siteID, "{gateway}", r.gateway).Replace(n.Text())
	for _, p := range placeholder.FindAllString(s, -1) {
		if !slices.Contains(further, p) {
			n.Problem("use "+strings.Join(append([]string{"{site}", "{gateway}"}, further...), ", "), "%s is not known here", p)
		}
	}
	return s
}
