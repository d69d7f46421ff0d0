package mapping

import "gopkg.in/yaml.v3"

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
	values := make(map[string]Node, len(m.values)+len(below.values))
	for key, v := range below.values {
		values[key] = v
	}
	for key := range m.values {
		if v := m.Get(key); v.Present() {
			values[key] = v.over(below.Get(key))
		}
	}
	m.values = values
	return m
}

// only returns the mapping without the keys that are not given.
func (m Map) only(keys ...string) Map {
	values := make(map[string]Node, len(keys))
	for _, key := range keys {
		if v, ok := m.values[key]; ok {
			values[key] = v
		}
	}
	m.values = values
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
			return Node{file: n.file, yaml: y.Content[i+1], name: within(n.name, key)}
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
