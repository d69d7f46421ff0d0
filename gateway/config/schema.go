package config

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"sluice/configs"
	"sluice/mapping"
)

// schemaNode is a JSON Schema, draft-07, as far as site files need it. Draft-07 is
// what editors understand.
type schemaNode struct {
	Schema      string                 `json:"$schema,omitempty"`
	Title       string                 `json:"title,omitempty"`
	Description string                 `json:"description,omitempty"`
	Type        []string               `json:"type,omitempty"`
	Enum        []any                  `json:"enum,omitempty"`
	Pattern     string                 `json:"pattern,omitempty"`
	Minimum     *float64               `json:"minimum,omitempty"`
	Maximum     *float64               `json:"maximum,omitempty"`
	Default     any                    `json:"default,omitempty"`
	Items       *schemaNode            `json:"items,omitempty"`
	Properties  map[string]*schemaNode `json:"properties,omitempty"`
	Required    []string               `json:"required,omitempty"`
	Additional  any                    `json:"additionalProperties,omitempty"` // false, or a *schemaNode
	AnyOf       []*schemaNode          `json:"anyOf,omitempty"`
}

// Shape returns what the reader of site files takes, recorded while it reads the
// reference, which has every key.
func Shape() (*mapping.Shape, error) {
	file := mapping.NewFile("site.yaml", []byte(configs.Reference))
	shape := file.Describe()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(configs.Reference), &doc); err != nil {
		return nil, fmt.Errorf("read the reference: %w", err)
	}
	r := reader{files: newFiles(""), path: "site.yaml"} // files that the reference names exist on a site only, so problems mean nothing here
	r.site(file.Root(&doc))
	return shape, nil
}

// Schema returns the JSON Schema of site files, for editors.
func Schema() ([]byte, error) {
	shape, err := Shape()
	if err != nil {
		return nil, err
	}
	return document(shape, fmt.Sprintf("Sluice site file, version %d", Version))
}

// TemplateSchema returns the JSON Schema of template files: what stands under a
// name in `templates`.
func TemplateSchema() ([]byte, error) {
	shape, err := Shape()
	if err != nil {
		return nil, err
	}
	return document(shape.Keys["templates"].Free, "Sluice template")
}

func document(shape *mapping.Shape, title string) ([]byte, error) {
	top := schemaOf(shape)
	top.Schema = "http://json-schema.org/draft-07/schema#"
	top.Title = title
	text, err := json.MarshalIndent(top, "", "  ")
	return append(text, '\n'), err
}

// schemaOf says what may stand at a place: one of the kinds that were read there.
func schemaOf(s *mapping.Shape) *schemaNode {
	var kinds []*schemaNode
	if s.Keys != nil || s.Free != nil {
		kinds = append(kinds, schemaOfMapping(s))
	}
	if s.Items != nil {
		kinds = append(kinds, &schemaNode{Type: []string{"array"}, Items: schemaOf(s.Items)})
	}
	if s.Scalar != nil {
		kinds = append(kinds, schemaOfScalar(s.Scalar))
	}
	n := &schemaNode{AnyOf: kinds}
	if len(kinds) == 1 {
		n = kinds[0]
	}
	n.Description = s.Doc
	if s.Scalar == nil || !strings.Contains(s.Doc, "(default "+s.Scalar.Default) {
		n.Default = nil // inherited, or computed: the comment says how
	}
	return n
}

func schemaOfMapping(s *mapping.Shape) *schemaNode {
	n := &schemaNode{Type: []string{"object"}, Properties: map[string]*schemaNode{}, Additional: false}
	if s.Free != nil {
		n.Additional = schemaOf(s.Free)
	}
	for key, value := range s.Keys {
		n.Properties[key] = schemaOf(value)
		if s.Required(key) {
			n.Required = append(n.Required, key)
		}
	}
	slices.Sort(n.Required)
	return n
}

// Patterns of texts, as package mapping reads them.
const (
	idText       = `^[a-z0-9][a-z0-9_-]{0,63}$`
	durationText = `^(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$|^[0-9]+d$`
	sizeText     = `^[0-9.]+ *([KkMmGgTt][Ii]?)?[Bb]$`
)

func schemaOfScalar(s *mapping.Scalar) *schemaNode {
	n := &schemaNode{Default: s.Default}
	switch s.Form {
	case mapping.Text:
		n.Type, n.Pattern = textTypes(s.Pattern), s.Pattern
	case mapping.ID:
		n.Type, n.Pattern = []string{"string", "integer"}, idText
	case mapping.Bool:
		n.Enum, n.Default = []any{true, false, "yes", "no", "on", "off"}, s.Default == "true"
	case mapping.Choice:
		for _, w := range s.Words {
			n.Enum = append(n.Enum, w)
			if i, err := strconv.Atoi(w); err == nil { // as YAML takes it without quotes
				n.Enum = append(n.Enum, i)
			}
		}
	case mapping.Int, mapping.Number:
		limit(n, s)
	case mapping.Duration:
		n.Type, n.Pattern = []string{"string"}, durationText
		if s.Min <= 0 { // 0 needs no unit
			n.AnyOf = []*schemaNode{{Type: n.Type, Pattern: n.Pattern}, {Enum: []any{0, "0"}}}
			n.Type, n.Pattern = nil, ""
		}
	case mapping.Size:
		n.Type, n.Pattern = []string{"string"}, sizeText
	}
	return n
}

// textTypes are what YAML takes texts for: true, and 8E1 for a number.
func textTypes(pattern string) []string {
	form := regexp.MustCompile(pattern)
	types := []string{"string"}
	switch {
	case form.MatchString("8E1"):
		types = append(types, "number")
	case form.MatchString("3"):
		types = append(types, "integer")
	}
	if form.MatchString("true") {
		types = append(types, "boolean")
	}
	return types
}

// limit fills in a number with its limits and a default within them.
func limit(n *schemaNode, s *mapping.Scalar) {
	n.Type = []string{"number"}
	if s.Form == mapping.Int {
		n.Type = []string{"integer"}
	}
	if !math.IsInf(s.Min, 0) {
		n.Minimum = &s.Min
	}
	if !math.IsInf(s.Max, 0) {
		n.Maximum = &s.Max
	}
	n.Default = nil
	if f, err := strconv.ParseFloat(s.Default, 64); err == nil && f >= s.Min && f <= s.Max {
		n.Default = f
	}
}
