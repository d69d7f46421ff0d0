package payload

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"time"

	"sluice/mapping/point"
)

// Template is the text of custom payloads, in the language of Go's text/template.
// It sees a Message; it may use if, with, comparisons, printf, and range over
// .Points and .Labels once: nothing that can run away.
type Template struct {
	text     string
	compiled *template.Template
}

// String returns the template as it was written.
func (t *Template) String() string { return t.text }

// Message is what a Template sees. In a message about several points the fields
// of Item are those of the first.
type Message struct {
	Site, Gateway, Device, Name, Template string
	Labels                                map[string]string
	Item
	Points []Item
}

// Item is one point in a Message.
type Item struct {
	Point      string
	Unit       string
	Value      string  // as JSON has it: 230.5, true, "text", null when the quality is bad
	Text       string  // bare: 230.5, 1, text; empty when the quality is bad
	Number     float64 // 0 when it is none
	Quality    string  // good, uncertain, stale or bad
	Good       bool
	Reason     string // why the quality is not good
	OPCQuality int    // good 192, stale 68, uncertain 64, bad 0 (OPC DA 3.0, 6.8)
	Time       string // 2026-11-20T21:43:20.123Z
	Unix       int64  // seconds since 1970
	UnixMilli  int64
}

// ParseTemplate compiles a template and tries it on a good reading and on a bad
// one.
func ParseTemplate(text string) (*Template, error) {
	if len(text) == 0 || len(text) > maxTemplateBytes {
		return nil, fmt.Errorf("a template has 1 to %d bytes, not %d", maxTemplateBytes, len(text))
	}
	compiled, err := template.New("payload").Option("missingkey=zero").Funcs(template.FuncMap{"printf": boundedPrintf}).Parse(text)
	if err != nil {
		return nil, plain(err)
	}
	if len(compiled.Templates()) != 1 {
		return nil, errors.New("it defines other templates")
	}
	if err := bounded(compiled.Root, false); err != nil {
		return nil, err
	}
	t := &Template{text, compiled}
	good := point.Reading{Point: "voltage", Unit: "V", Value: point.FloatValue(230.5), Time: time.UnixMilli(1795211000123)}
	bad := point.Reading{Point: "relay", Quality: point.Bad, Reason: "timeout", Time: time.UnixMilli(1795211000123)}
	for _, readings := range [][]point.Reading{{good, bad}, {bad}} {
		if _, err := t.append(nil, Source{Device: "main-meter"}, readings); err != nil {
			return nil, plain(err)
		}
	}
	return t, nil
}

// plain leaves line and column, and takes out what package template says before.
func plain(err error) error {
	return errors.New(strings.TrimPrefix(strings.Replace(err.Error(), ` executing "payload"`, "", 1), "template: payload:"))
}

// append appends what the template makes of readings.
func (t *Template) append(dst []byte, s Source, readings []point.Reading) ([]byte, error) {
	m := Message{Site: s.Site, Gateway: s.Gateway, Device: s.Device, Name: s.Name, Template: s.Template, Labels: s.Labels}
	for _, r := range readings {
		m.Points = append(m.Points, itemOf(r))
	}
	m.Item = m.Points[0]
	var out limited
	if err := t.compiled.Execute(&out, &m); err != nil {
		return dst, err
	}
	return append(dst, out.text...), nil
}

func itemOf(r point.Reading) Item {
	quality := qualityOf(r)
	item := Item{
		Point: r.Point, Unit: r.Unit, Value: "null", Quality: quality.String(), Good: quality == point.Good, Reason: r.Reason,
		OPCQuality: opcQuality(quality), Time: r.Time.UTC().Format("2006-01-02T15:04:05.000Z"), Unix: r.Time.Unix(), UnixMilli: r.Time.UnixMilli(),
	}
	if text, ok := AppendValue(nil, r); ok {
		item.Value, item.Text = string(appendJSONValue(nil, r.Value)), string(text)
		if r.Value.Kind() != point.Text {
			item.Number = r.Value.Float()
		}
	}
	return item
}

func opcQuality(q point.Quality) int {
	switch q {
	case point.Good:
		return 192
	case point.Uncertain:
		return 64
	case point.Stale:
		return 68 // uncertain: last usable value
	default:
		return 0
	}
}
