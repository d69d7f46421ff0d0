package config

import (
	"slices"

	"sluice/broker/topic"
	"sluice/gateway/publish"
	"sluice/mapping"
)

// defaultStatus is where the state of devices is told when the file does not say.
const defaultStatus = "{site}/{device}/status"

// status reads `status` of `publish`, and renders it for all devices.
func (r *reader) status(main mapping.Node, c *Config) []string {
	n := main.Map(publishKeys...).Get("status")
	text := n.Text()
	switch {
	case n.Present() && text == "none" || r.siteID == "":
		return nil
	case text == "":
		text = defaultStatus
	}
	t, err := topic.ParseTemplate(text)
	if err != nil {
		n.Problem("write placeholders such as {device}", "%s", err)
		return nil
	}
	for _, name := range t.Names() {
		if !slices.Contains([]string{"site", "gateway", "device"}, name) {
			n.Problem("use {site}, {gateway}, {device}", "{%s} is not known here", name)
			return nil
		}
	}
	return r.statusTopics(n, t, c)
}

// statusTopics renders the topics. A device of which a value has the topic goes
// without, unless the file asks for it.
func (r *reader) statusTopics(n mapping.Node, t topic.Template, c *Config) []string {
	cfg := publish.Config{Site: r.siteID, Gateway: r.gateway, Devices: c.Devices, Outputs: c.Outputs}
	values, told := cfg.Topics(), n.Problem
	if !n.Present() {
		told = n.Warn
	}
	var topics []string
	for _, d := range slices.Concat(c.Devices, c.Disabled) {
		at := cfg.TopicOf(&publish.Output{Topic: t}, &d, &mapping.Point{})
		err := topic.CheckPortable(at)
		switch {
		case d.ID == "" || err != nil && !n.Present(): // which has been told
			at = ""
		case err != nil:
			n.Problem(`at most 8 levels and 256 bytes of letters, digits, "-" and "_", none empty`, "%s", err)
			return nil
		case slices.Contains(values, at):
			told("write e.g. publish: {status: \"{site}/{device}/_status\"}, or give the point another id",
				"the state of device %q (%s) has no topic: %s is that of a value", d.ID, d.Place, at)
			at = ""
		case !t.Has("device") && slices.Contains(topics, at):
			n.Problem("put {device} into it", "all devices would share the topic %s", at)
			return nil
		}
		topics = append(topics, at)
	}
	return topics
}
