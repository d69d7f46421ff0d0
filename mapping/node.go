package mapping

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// File is a site file being read: its text, for excerpts, and what is wrong
// with it so far.
type File struct {
	Name     string
	Problems Problems
	lines    []string
	shape    *Shape // what is read is recorded here; nil: nowhere
	said     map[said]bool
}

// said is a place and what to do about it. A template that several devices share
// is wrong in one place, however many use it.
type said struct {
	line, column int
	fix          string
}

// NewFile returns a file whose problems are reported under name.
func NewFile(name string, text []byte) *File {
	return &File{Name: name, said: map[said]bool{}, lines: strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")}
}

// What must not be shown again of a site file: the plain value of a password,
// the user and password inside an address.
var (
	plainPassword = regexp.MustCompile(`(?i)(password["']?\s*:\s*)[^{\s][^,}]*`)
	userInfo      = regexp.MustCompile(`[^\s/"'{,]+:[^\s/"'{,]*@`)
	usbPort       = regexp.MustCompile(`^usb:[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}`)
)

// hideUserInfo leaves the name of a port as it is: usb:0403:6001@1-1.2 has no user.
func hideUserInfo(s string) string {
	return userInfo.ReplaceAllStringFunc(s, func(found string) string {
		if usbPort.MatchString(found) {
			return found
		}
		return "***@"
	})
}

// Report adds a problem at a line and column, both from 1; line 0 means the
// file as a whole. What is at the same place and cured by the same fix is
// reported once.
func (f *File) Report(line, column int, what, fix string) {
	p := Problem{File: f.Name, Line: line, Column: column, What: hideUserInfo(what), Fix: fix}
	if again := (said{line, column, fix}); line > 0 {
		if f.said[again] {
			return
		}
		f.said[again] = true
	}
	if line > 0 && line <= len(f.lines) {
		p.Source = hideUserInfo(plainPassword.ReplaceAllString(f.lines[line-1], "$1***"))
	}
	f.Problems = append(f.Problems, p)
}

// Root returns the top of the parsed document.
func (f *File) Root(doc *yaml.Node) Node {
	if doc.Kind == yaml.DocumentNode && len(doc.Content) > 0 {
		doc = doc.Content[0]
	}
	return Node{file: f, yaml: doc, shape: f.shape}
}

// Node is a place in a site file. Its methods read what stands there, and where
// that is not what it should be they report the problem at its position and
// return the zero value, so that reading goes on and every mistake is found at
// once. An absent key is a Node too: it reads as zero values without a problem.
type Node struct {
	file  *File
	yaml  *yaml.Node // nil: the key is absent
	outer *yaml.Node // where an absent key would have been
	name  label
	shape *Shape // what is read here is recorded in it; nil: nowhere
	below *Node  // the same place in the layer below, see over
}

// label is what people call a place: `device "meter"`, "baud". It is put together
// only when there is something to say.
type label struct{ outer, key string }

func (l label) String() string {
	if l.outer == "" {
		return l.key
	}
	return l.outer + ": " + l.key
}

// Present reports whether anything stands here.
func (n Node) Present() bool { return n.yaml != nil }

// IsScalar reports whether a single value stands here.
func (n Node) IsScalar() bool {
	y := n.resolved()
	return y != nil && y.Kind == yaml.ScalarNode
}

// As gives the place a name that its problems carry, e.g. `device "meter"`.
func (n Node) As(name string) Node { return n.as(label{key: name}) }

func (n Node) as(name label) Node {
	n.name = name
	if n.below != nil {
		below := n.below.as(name)
		n.below = &below
	}
	return n
}

// Problem reports what is wrong at this place and how to fix it.
func (n Node) Problem(fix, format string, args ...any) {
	at := n.yaml
	if at == nil {
		at = n.outer
	}
	what := fmt.Sprintf(format, args...)
	if name := n.name.String(); name != "" {
		what = name + ": " + what
	}
	n.file.Report(at.Line, at.Column, what, fix)
}

// Warn reports what is probably not meant at this place, though it can be run.
func (n Node) Warn(fix, format string, args ...any) {
	before := len(n.file.Problems)
	n.Problem(fix, format, args...)
	for i := range n.file.Problems[before:] {
		n.file.Problems[before+i].Warning = true
	}
}

// Seq returns the items of a list; nothing when the key is absent.
func (n Node) Seq() []Node {
	shape := n.shape.items()
	y := n.resolved()
	if y == nil || isNull(y) {
		return nil
	}
	if y.Kind != yaml.SequenceNode {
		n.Problem("start each item on its own line with \"- \"", "must be a list, not %s", kind(y))
		return nil
	}
	items := make([]Node, len(y.Content))
	for i, c := range y.Content {
		items[i] = Node{file: n.file, yaml: c, name: n.name, shape: shape}
	}
	return items
}

// Map returns the keys and values of a mapping. Keys other than those given are
// problems, with the nearest known key as the fix.
func (n Node) Map(keys ...string) Map {
	m := Map{node: n}
	if n.shape != nil {
		m.asked = map[string]bool{}
		n.shape.mapping(keys)
	}
	y := n.resolved()
	if y == nil {
		return m
	}
	if y.Kind != yaml.MappingNode {
		n.Problem("write it as key: value pairs, such as "+keys[0]+": ...", "must be a mapping, not %s", kind(y))
		return m
	}
	m.values = make([]value, 0, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := Node{file: n.file, yaml: y.Content[i], name: n.name}
		name := y.Content[i].Value
		switch {
		case !contains(keys, name):
			meant := nearest(name, keys)
			m.meant = append(m.meant, meant)
			key.Problem(unknownFix(meant, name, y, keys), "unknown key %q", name)
		case m.value(name).Present():
			key.Problem("keep one of the two", "%q is given twice", name)
		default:
			m.values = append(m.values, value{name, n.under(y.Content[i], y.Content[i+1], n.shape.key(name))})
		}
	}
	if n.below != nil {
		return m.over(n.below.Map(keys...))
	}
	return m
}

// Entry is a key that the user chose and what stands under it.
type Entry struct{ Key, Value Node }

// Entries returns the keys and values of a mapping whose keys are the user's, in
// the order of the file; nothing when it is absent. A key given twice is a problem.
func (n Node) Entries() []Entry {
	shape := n.shape.free()
	y := n.resolved()
	if y == nil || isNull(y) {
		return nil
	}
	if y.Kind != yaml.MappingNode {
		n.Problem("write it as name: value pairs", "must be a mapping, not %s", kind(y))
		return nil
	}
	var entries []Entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := Node{file: n.file, yaml: y.Content[i], name: n.name}
		if name := y.Content[i].Value; seen[name] {
			key.Problem("keep one of the two", "%q is given twice", name)
			continue
		}
		seen[y.Content[i].Value] = true
		entries = append(entries, Entry{key, n.under(y.Content[i], y.Content[i+1], shape)})
	}
	return entries
}

// under returns the node of a value in the mapping n.
func (n Node) under(key, value *yaml.Node, shape *Shape) Node {
	if shape != nil && !isNull(value) {
		shape.given(n.file.comment(key.Line))
	}
	return Node{file: n.file, yaml: value, name: label{n.name.String(), key.Value}, shape: shape}
}

// Map is a mapping of a site file with known keys.
type Map struct {
	node   Node
	values []value         // each key once
	asked  map[string]bool // keys that were needed; nil: not recorded
	meant  []string        // known keys that unknown ones probably stand for
}

// value is what stands under a key.
type value struct {
	key string
	Node
}

// value returns what stands under a key, not Present if nothing does.
func (m Map) value(key string) Node {
	for i := range m.values {
		if m.values[i].key == key {
			return m.values[i].Node
		}
	}
	return Node{}
}

// Get returns the value of a key, absent or not. A key without a value counts
// as absent.
func (m Map) Get(key string) Node {
	name := label{m.node.name.String(), key}
	if v := m.value(key); v.Present() && !isNull(v.yaml) {
		return v.as(name)
	}
	at := m.node.yaml
	if at == nil {
		at = m.node.outer
	}
	return Node{file: m.node.file, outer: at, name: name, shape: m.node.shape.key(key)}
}

// Need returns the value of a key and reports it when it is missing; example
// shows what to write.
func (m Map) Need(key, example string) Node {
	if m.asked != nil && !m.asked[key] {
		m.asked[key] = true
		m.node.shape.needed(key)
	}
	v := m.Get(key)
	if empty := m.value(key); !v.Present() && empty.Present() && empty.isComment() {
		empty.Problem("put the value in quotes: \"#\"", "# begins a comment, so nothing stands here")
		return v
	}
	if !v.Present() && m.node.Present() && m.node.resolved().Kind == yaml.MappingNode && !contains(m.meant, key) {
		m.node.Problem("add "+key+": "+example, "%q is missing", key)
	}
	return v
}

// Named returns the map with a name that its later problems carry.
func (m Map) Named(name string) Map {
	m.node.name = label{key: name}
	return m
}

// resolved follows an alias to what it stands for.
func (n Node) resolved() *yaml.Node {
	y := n.yaml
	if y != nil && y.Kind == yaml.AliasNode {
		return y.Alias
	}
	return y
}

func isNull(y *yaml.Node) bool {
	return y.Kind == yaml.ScalarNode && y.Tag == "!!null"
}

// isComment reports whether a comment stands where a value should: # is a topic
// filter to people.
func (n Node) isComment() bool {
	y := n.resolved()
	line := ""
	if y.Line > 0 && y.Line <= len(n.file.lines) {
		line = n.file.lines[y.Line-1]
	}
	before, after, ok := strings.Cut(line, "#")
	return isNull(y) && ok && strings.TrimSpace(after) == "" && strings.HasSuffix(strings.TrimSpace(before), ":")
}

func kind(y *yaml.Node) string {
	switch y.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	default:
		return fmt.Sprintf("%q", y.Value)
	}
}
