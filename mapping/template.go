package mapping

import (
	"slices"
	"strings"
)

// Template is a reusable register map of a device type, as people are told of it.
type Template struct {
	Name        string
	Maker       string
	Model       string
	Description string
	Verified    Trust
	Sources     []string // documents and drivers the registers were taken from
	Probe       []Probe
}

// Trust says how well the registers of a template have been checked.
type Trust string

// The levels of trust.
const (
	TwoSources   Trust = "two sources"   // two public sources agree on every register
	SingleSource Trust = "single source" // one source says so, or they leave a doubt
	Unchecked    Trust = "unchecked"     // what a template of the site is unless it says otherwise
)

// Library finds templates: those of the site, those in its folder, those built in.
type Library interface {
	// Template returns where a template stands; false if there is none of that name.
	Template(name string) (Node, bool)
	// Names returns the names of all, sorted.
	Names() []string
}

// templateKeys are what people and scan are told of a template, and what devices
// take from it.
func templateKeys() []string {
	return append([]string{"maker", "model", "description", "verified", "sources", "probe"}, inheritedKeys()...)
}

// ReadTemplate reads what a template says of itself.
func ReadTemplate(n Node, name string) Template {
	m := n.As("template " + name).Map(templateKeys()...)
	t := Template{
		Name:        name,
		Maker:       m.Get("maker").Text(),
		Model:       m.Get("model").Text(),
		Description: m.Get("description").Text(),
		Verified:    Trust(m.Get("verified").Choice(string(Unchecked), string(SingleSource), string(TwoSources))),
	}
	for _, s := range m.Get("sources").Seq() {
		t.Sources = append(t.Sources, s.Text())
	}
	least := map[Trust]int{SingleSource: 1, TwoSources: 2}[t.Verified]
	if len(t.Sources) < least {
		m.Get("verified").Problem("name them under sources", "%q without that many sources", t.Verified)
	}
	t.Probe = readProbes(m.Get("probe"))
	return t
}

// template is what a device takes from its template.
func (r *deviceReader) template(own Map, name Node) composed {
	c := composed{numbering: numberings[0], template: name.Text()}
	if r.Templates != nil {
		if n, ok := r.Templates.Template(c.template); ok && !n.Present() {
			c.broken = true
			return c
		} else if ok {
			c.lie(n, own.node.name.String())
			n.shape.borrow(own.node.shape, inheritedKeys()...)
			return c
		}
	}
	name.Problem(r.knownTemplate(c.template), "there is no template %q", c.template)
	c.broken = true
	return c
}

// lie puts a template below, whose problems carry the name.
func (c *composed) lie(template Node, name string) {
	m := template.As(name).Map(templateKeys()...)
	c.numbering = m.Get("numbering").Choice(numberings...)
	c.add(m)
	c.Map = m.only(inheritedKeys()...)
}

// CheckTemplate reads a template as a device would that adds nothing to it, and
// returns what it says of itself and the device, which is on no bus.
func CheckTemplate(n Node, name string) (Template, Device) {
	t := ReadTemplate(n, name)
	c := composed{numbering: numberings[0]}
	c.lie(n, "template "+name)
	d := Device{ID: name, Name: name, Template: name}
	new(deviceReader).content(&c, &d, DefaultSettings)
	return t, d
}

func (r *deviceReader) knownTemplate(name string) string {
	var names []string
	if r.Templates != nil {
		names = slices.Clone(r.Templates.Names())
	}
	if near := nearest(name, names); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	if i := slices.IndexFunc(names, func(known string) bool { return len(name) >= 3 && strings.Contains(known, strings.ToLower(name)) }); i >= 0 {
		return "did you mean \"" + names[i] + "\"?"
	}
	return "`sluice templates list` shows all"
}
