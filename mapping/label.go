package mapping

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds of `labels`.
const (
	maxLabels     = 32
	maxLabelBytes = 128
)

// labelName is what a label may be called: it is a placeholder in topics.
var labelName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// ownPlaceholders are names that mean something else in topics.
var ownPlaceholders = []string{"site", "gateway", "group", "device", "point", "template", "topic", "unit"}

// ReadLabels reads `labels`: names and values, over those of the layer below. A
// value may become a level of a topic, so it is none that would be several.
func ReadLabels(n Node, below map[string]string) map[string]string {
	entries := n.Entries()
	if len(entries) > maxLabels {
		n.Problem("keep those that topics or people need", "%d labels are too many, %d is the limit", len(entries), maxLabels)
		return below
	}
	labels := maps.Clone(below)
	for _, e := range entries {
		name, value := e.Key.Text(), e.Value.Text()
		switch {
		case slices.Contains(ownPlaceholders, name):
			e.Key.Problem("choose another name", "{%s} has a meaning in topics already", name)
		case !labelName.MatchString(name):
			e.Key.Problem("use lower-case letters, digits, \"-\" and \"_\", a letter first (32 at most)", "%q cannot be the name of a label", name)
		case value == "" || len(value) > maxLabelBytes || strings.ContainsAny(value, "/+#\x00"):
			e.Value.Problem("write 1 to 128 bytes without / + #", "%q cannot become a level of a topic", value)
		default:
			if labels == nil {
				labels = map[string]string{}
			}
			labels[name] = value
		}
	}
	return labels
}
