package config

import (
	"slices"
	"strings"

	"sluice/broker/topic"
	"sluice/gateway/command"
	"sluice/gateway/publish"
	"sluice/mapping"
)

// defaultSet is where commands to points come when the file does not say.
const defaultSet = "{site}/{device}/{point}/set"

// Command is a point that may be written by publishing to a topic.
type Command struct {
	Topic         string
	Device, Point string // ids
}

// publishKeys are the keys of `publish`.
var publishKeys = []string{"topic", "payload", "template", "retain", "status", "set"}

// commands reads `set` of `publish`, and renders it for all points with `write`. The
// filter is one that all topics of commands match; empty: there are none.
func (r *reader) commands(main mapping.Node, c *Config) (all []Command, filter string) {
	n := main.Map(publishKeys...).Get("set")
	text := n.Text()
	switch {
	case n.Present() && text == "none" || r.siteID == "":
		return nil, ""
	case text == "":
		text = defaultSet
	}
	t, err := topic.ParseTemplate(text)
	if err != nil {
		n.Problem("write placeholders such as {device}", "%s", err)
		return nil, ""
	}
	for _, name := range t.Names() {
		if !slices.Contains([]string{"site", "gateway", "device", "point"}, name) {
			n.Problem("use {site}, {gateway}, {device}, {point}", "{%s} is not known here", name)
			return nil, ""
		}
	}
	if !t.Has("device") || !t.Has("point") {
		n.Problem("put {device} and {point} into it", "several points would share the topic %s", text)
		return nil, ""
	}
	if all = r.commandTopics(n, t, c); len(all) == 0 {
		return nil, ""
	}
	return all, r.commandFilter(text)
}

// commandTopics renders the topics of all points that may be written by command. A
// point goes without where something else is published on its topic.
func (r *reader) commandTopics(n mapping.Node, t topic.Template, c *Config) []Command {
	cfg := publish.Config{Site: r.siteID, Gateway: r.gateway, Devices: c.Devices, Outputs: c.Outputs}
	var all []Command
	taken := map[string]bool{}
	for _, name := range slices.Concat(cfg.Topics(), c.Status) {
		taken[name] = true
	}
	for i := range c.Devices {
		d := &c.Devices[i]
		for j := range d.Points {
			p := &d.Points[j]
			if p.Write == nil || p.ID == "" || d.ID == "" {
				continue
			}
			at := cfg.TopicOf(&publish.Output{Topic: t}, d, p)
			if err := topic.CheckPortable(at + command.Suffix); err != nil {
				n.Problem(`at most 8 levels and 256 bytes of letters, digits, "-" and "_", none empty, with /result behind it`, "%s", err)
				return nil
			}
			if r.commandable(n, d, p, taken[at] || taken[at+command.Suffix]) {
				all = append(all, Command{at, d.ID, p.ID})
			}
		}
	}
	return all
}

// commandable reports whether a point can have commands, and tells why not.
func (r *reader) commandable(n mapping.Node, d *mapping.Device, p *mapping.Point, taken bool) bool {
	switch {
	case taken:
		n.Warn("write e.g. publish: {set: \"cmd/{device}/{point}\"}", "there are no commands to point %q of device %q (%s): something else has the topic", p.ID, d.ID, p.Place)
	case d.Chain.Moves(p.Register):
		n.Warn("take write out", "there are no commands to point %q of device %q (%s): it is found anew in the device each time", p.ID, d.ID, p.Place)
	default:
		return true
	}
	return false
}

// commandFilter is a template of commands with + for what differs.
func (r *reader) commandFilter(text string) string {
	levels := strings.Split(strings.NewReplacer("{site}", r.siteID, "{gateway}", r.gateway).Replace(text), "/")
	for i, level := range levels {
		if strings.Contains(level, "{") {
			levels[i] = "+"
		}
	}
	return strings.Join(levels, "/")
}

// keepCommands has bridges leave commands where they are, so that those from
// upstream are no echo.
func (r *reader) keepCommands(bridges []Bridge) {
	if r.commandsAt == "" {
		return
	}
	for i := range bridges {
		bridges[i].Send = slices.Insert(bridges[i].Send, 0, Rule{Match: r.commandsAt, Drop: true})
	}
}
