package topic

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a topic name with placeholders, such as "{site}/{device}/{point}".
// The zero Template renders an empty name.
type Template struct {
	text  string
	parts []part
}

// part is fixed text, or the name of a placeholder.
type part struct {
	text  string
	names bool
}

// ParseTemplate reads a template. Every brace must belong to a placeholder.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	for rest := text; rest != ""; {
		fixed, after, found := strings.Cut(rest, "{")
		if strings.Contains(fixed, "}") {
			return Template{}, fmt.Errorf("%q has a } without its {", text)
		}
		if fixed != "" {
			t.parts = append(t.parts, part{text: fixed})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return Template{}, fmt.Errorf("%q has a { without a name and } behind it", text)
		}
		t.parts = append(t.parts, part{name, true})
		rest = behind
	}
	return t, nil
}

// String returns the template as it was written.
func (t Template) String() string { return t.text }

// Names returns the names of the placeholders in the order of the text, each as
// often as it stands there.
func (t Template) Names() []string {
	var names []string
	for _, p := range t.parts {
		if p.names {
			names = append(names, p.text)
		}
	}
	return names
}

// Has reports whether {name} stands in the template.
func (t Template) Has(name string) bool {
	return slices.Contains(t.parts, part{name, true})
}

// Render returns the topic with the values that value gives the placeholders.
func (t Template) Render(value func(name string) string) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.names {
			b.WriteString(value(p.text))
		} else {
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// CheckPortable reports why some broker would change or refuse name, or nil: the
// strictest of the large clouds takes 8 levels and 256 bytes, some servers take
// dots for separators, and some close the connection over a space.
func CheckPortable(name string) error {
	switch levels := strings.Split(name, "/"); {
	case slices.Contains(levels, ""):
		return fmt.Errorf("%q has an empty level", name)
	case strings.ContainsFunc(name, foreign):
		return fmt.Errorf("%q holds characters that some brokers change or refuse", name)
	case len(levels) > maxPortableLevels:
		return fmt.Errorf("%q has %d levels, some clouds take %d", name, len(levels), maxPortableLevels)
	case len(name) > maxPortableBytes:
		return fmt.Errorf("%q has %d bytes, some clouds take %d", name, len(name), maxPortableBytes)
	}
	return nil
}

const (
	maxPortableLevels = 8
	maxPortableBytes  = 256
)

func foreign(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '/')
}
