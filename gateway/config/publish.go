package config

import (
	"fmt"
	"path"
	"time"

	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
)

// Limits of the interval of an output.
const (
	minOutputInterval = 100 * time.Millisecond
	maxOutputInterval = 24 * time.Hour
)

// defaultTopic is where values are published when the file does not say.
const defaultTopic = "{site}/{device}/{point}"

// outputs reads `publish` and `outputs`; the former is the first.
func (r *reader) outputs(main, further mapping.Node, devices []mapping.Device) []publish.Output {
	m := main.As("publish").Map(publishKeys...)
	outputs := []publish.Output{{Retain: m.Get("retain").Bool(true)}}
	topics := []mapping.Node{m.Get("topic")}
	r.output(m, topics[0], &outputs[0])
	ids := map[string]bool{}
	for _, item := range further.Seq() {
		m := item.As("output").Map("id", "topic", "payload", "template", "retain", "interval", "devices", "points")
		o := publish.Output{ID: m.Need("id", "historian").ID()}
		m = m.Named(fmt.Sprintf("output %q", o.ID))
		if o.ID != "" && ids[o.ID] {
			m.Get("id").Problem("give each output an id of its own", "the id is used twice")
		}
		ids[o.ID] = true
		o.Retain = m.Get("retain").Bool(outputs[0].Retain)
		o.Interval = m.Get("interval").Duration(minOutputInterval, maxOutputInterval, 0)
		o.Devices = patterns(m.Get("devices"), devices, nil)
		o.Points = patterns(m.Get("points"), nil, devices)
		topics = append(topics, m.Need("topic", `"history/{device}"`))
		r.output(m, topics[len(topics)-1], &o)
		outputs = append(outputs, o)
	}
	r.checkTopics(outputs, topics, devices)
	return outputs
}

// output reads what all outputs have.
func (r *reader) output(m mapping.Map, at mapping.Node, o *publish.Output) {
	form := m.Get("payload")
	o.Format.Form, _ = payload.ParseForm(form.Choice(payload.Forms()...))
	text := m.Get("template")
	if o.Format.Form == payload.Custom {
		text = m.Need("template", `'{"d":{{.Value}},"q":{{.OPCQuality}},"ts":"{{.Time}}"}'`)
	}
	o.Format.Template = customTemplate(text)
	o.Topic = r.topicTemplate(at)
	perPoint := o.Topic.Has("point")
	switch o.Format.Form {
	case payload.JSON, payload.Value:
		if !perPoint && o.Topic.String() != "" {
			at.Problem("put {point} into the topic, or write payload: device", "payload %s is about one point, so without {point} several would share one topic", o.Format.Form)
		}
	case payload.Device:
		if perPoint {
			form.Problem("take {point} out of the topic, e.g. \"{site}/{device}\"", "payload device is about all points of a device that are read together")
		}
	}
}

func customTemplate(n mapping.Node) *payload.Template {
	if !n.Present() {
		return nil
	}
	t, err := payload.ParseTemplate(n.Text())
	if err != nil {
		n.Problem("`sluice help payload` lists what a template may hold", "%s", err)
	}
	return t
}

// patterns reads patterns of the ids of devices, or of the points of devices;
// each must match one.
func patterns(n mapping.Node, ids, points []mapping.Device) []string {
	var all []string
	for _, item := range n.Seq() {
		p := item.Text()
		if _, err := path.Match(p, ""); err != nil {
			item.Problem("write an id; * stands for anything", "%q is not a pattern", p)
			continue
		}
		if !anyMatches(p, ids, points) {
			item.Problem("check the id; * stands for anything", "%q matches nothing", p)
		}
		all = append(all, p)
	}
	if n.Present() && len(all) == 0 {
		n.Problem("leave it out for all", "nothing is chosen")
	}
	return all
}

func anyMatches(pattern string, ids, points []mapping.Device) bool {
	for _, d := range ids {
		if ok, _ := path.Match(pattern, d.ID); ok {
			return true
		}
	}
	for _, d := range points {
		for p := range d.Every() {
			if ok, _ := path.Match(pattern, p.ID); ok {
				return true
			}
		}
	}
	return false
}
