package mapping

import (
	"slices"

	"gopkg.in/yaml.v3"
)

// Settings come in layers: a device lies over its template, an override over the
// point of a template. A layer is read as one mapping; each value keeps the file
// and the line it comes from.

// over returns the place as it looks with another below it: where both are
// mappings, keys that are missing here are taken from there; anything else here
// hides what is below.
func (n Node) over(below Node) Node {
	if !n.Present() {
		return below
	}
	n.below = &below
	return n
}

// over returns the mapping with the values of another for the keys it lacks.
func (m Map) over(below Map) Map {
	values := make([]value, 0, len(m.values)+len(below.values))
	for _, v := range m.values {
		if n := m.Get(v.key); n.Present() {
			values = append(values, value{v.key, n.over(below.Get(v.key))})
		}
	}
	for _, v := range below.values {
		if !m.Get(v.key).Present() {
			values = append(values, v)
		}
	}
	m.values = values
	return m
}

// only returns the mapping without the keys that are not given.
func (m Map) only(keys ...string) Map {
	m.values = slices.DeleteFunc(slices.Clone(m.values), func(v value) bool { return !slices.Contains(keys, v.key) })
	return m
}

// Has reports whether a mapping has a value for a key, without judging it.
func (n Node) Has(key string) bool { return n.peek(key).Present() }

// peek returns the value of a key without judging the mapping.
func (n Node) peek(key string) Node {
	y := n.resolved()
	if y == nil || y.Kind != yaml.MappingNode {
		return Node{file: n.file, outer: y}
	}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if y.Content[i].Value == key {
			return Node{file: n.file, yaml: y.Content[i+1], name: label{n.name.String(), key}}
		}
	}
	return Node{file: n.file, outer: y}
}

// replaced returns the place as if s were written there.
func (n Node) replaced(s string) Node {
	y := *n.resolved()
	y.Value = s
	n.yaml = &y
	return n
}
