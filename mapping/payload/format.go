package payload

import (
	"fmt"

	"sluice/mapping/point"
)

// Form is one of the ways in which messages are written.
type Form uint8

// The forms. Device, Influx and Custom can carry several points of a device.
const (
	JSON   Form = iota // AppendJSON
	Value              // AppendValue
	Device             // AppendObject
	Influx             // a line of InfluxDB's line protocol
	Custom             // a Template
)

// forms are the words of the site file.
var forms = [...]string{JSON: "json", Value: "value", Device: "device", Influx: "influx", Custom: "custom"}

// Forms returns the words that ParseForm reads, the default first.
func Forms() []string { return forms[:] }

// ParseForm returns the form that files call name.
func ParseForm(name string) (Form, error) {
	for f, word := range forms {
		if word == name {
			return Form(f), nil
		}
	}
	return JSON, fmt.Errorf("%q is not a form of payload", name)
}

// String returns the word that ParseForm reads.
func (f Form) String() string { return forms[f] }

// Format is a form, and the template of a custom one.
type Format struct {
	Form     Form
	Template *Template
}

// Equal reports whether both write the same.
func (f Format) Equal(other Format) bool {
	if f.Template == nil || other.Template == nil {
		return f == other
	}
	return f.Form == other.Form && f.Template.String() == other.Template.String()
}

// Source is what readings come from.
type Source struct {
	Site, Gateway string
	Device        string
	Name          string // of the device, for people
	Template      string // that the device was made from
	Labels        map[string]string
	Point         string // if each message carries this one point; else empty
}

// Writer writes messages about one source.
type Writer struct {
	format Format
	source Source
	head   []byte // of Influx lines
}

// Writer returns a writer for readings of s.
func (f Format) Writer(s Source) *Writer {
	w := &Writer{format: f, source: s}
	if f.Form == Influx {
		w.head = lineHead(s)
	}
	return w
}

// Append appends a message about readings of the writer's source. There is at
// least one; JSON and Value write the first. It returns false, and dst as it
// was, when the form has no way to say it. Only custom messages can fail.
func (w *Writer) Append(dst []byte, readings []point.Reading) ([]byte, bool, error) {
	switch w.format.Form {
	case Value:
		dst, ok := AppendValue(dst, readings[0])
		return dst, ok, nil
	case Device:
		return AppendObject(dst, readings), true, nil
	case Influx:
		return appendLine(dst, w.head, readings), true, nil
	case Custom:
		out, err := w.format.Template.append(dst, w.source, readings)
		return out, err == nil, err
	default:
		return AppendJSON(dst, readings[0]), true, nil
	}
}
