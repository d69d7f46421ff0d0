package topic_test

import (
	"strings"
	"testing"

	"sluice/broker/topic"
)

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		filter, other string
		want          bool
	}{
		{"#", "a/b", true}, {"#", "#", true}, {"#", "+/a", true}, {"a/#", "a", true}, {"a/#", "a/#", true}, {"a/#", "a/+/b", true},
		{"a/+", "a/b", true}, {"+/b", "a/b", true}, {"+", "+", true}, {"a/b", "a/b", true}, {"a/+/c", "a/+/c", true},
		{"a", "#", false}, {"a/b", "a/+", false}, {"a/+", "a/#", false}, {"a/+", "a", false}, {"a/b", "a/b/c", false},
		{"a/+", "a/b/c", false}, {"+", "#", false}, {"#", "$SYS/a", false}, {"+/a", "$SYS/a", false}, {"$SYS/#", "$SYS/a", true},
	} {
		if got := topic.Covers(tt.filter, tt.other); got != tt.want {
			t.Errorf("Covers(%q, %q) is %v", tt.filter, tt.other, got)
		}
	}
}

// FuzzCovers holds Covers against Match: no name may match the covered filter and
// not the covering one.
func FuzzCovers(f *testing.F) {
	f.Add("a/#", "a/+/b", "a/x/b")
	f.Add("#", "$SYS/#", "$SYS/x")
	f.Add("+/b", "a/b", "a/b")
	f.Fuzz(func(t *testing.T, filter, other, name string) {
		if topic.CheckFilter(filter) != nil || topic.CheckFilter(other) != nil || topic.CheckName(name) != nil || strings.Contains(name, "\x00") {
			return
		}
		if topic.Covers(filter, other) && topic.Match(other, name) && !topic.Match(filter, name) {
			t.Errorf("%q covers %q, but not %q", filter, other, name)
		}
	})
}
