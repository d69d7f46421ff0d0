package topic_test

import (
	"strings"
	"testing"

	"sluice/broker/topic"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter, name string
		want         bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a", false},
		{"a/+", "a/", true},
		{"a/+/c", "a/b/c", true},
		{"+/b", "/b", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"#", "a/b", true},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
		{"+", "a", true},
		{"+", "a/b", false},
		{"/+", "/a", true},
	} {
		if got := topic.Match(tt.filter, tt.name); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.filter, tt.name, got, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", topic.MaxBytes+1)
	for _, tt := range []struct {
		s            string
		name, filter bool
	}{
		{"a/b", true, true},
		{"/", true, true},
		{"", false, false},
		{long, false, false},
		{long[1:], true, true},
		{"a\x00b", false, false},
		{"a\xff", false, false},
		{"+", false, true},
		{"a/+/b", false, true},
		{"a/b+", false, false},
		{"#", false, true},
		{"a/#", false, true},
		{"a/#/b", false, false},
		{"a#", false, false},
	} {
		if err := topic.CheckName(tt.s); (err == nil) != tt.name {
			t.Errorf("CheckName(%.20q) = %v, want ok %v", tt.s, err, tt.name)
		}
		if err := topic.CheckFilter(tt.s); (err == nil) != tt.filter {
			t.Errorf("CheckFilter(%.20q) = %v, want ok %v", tt.s, err, tt.filter)
		}
	}
}

// FuzzMatch checks what must hold for every valid pair: a name matches itself,
// and everything but a $ topic matches "#".
func FuzzMatch(f *testing.F) {
	f.Add("a/b/c", "a/+/c")
	f.Add("$SYS/broker", "#")
	f.Fuzz(func(t *testing.T, name, filter string) {
		if topic.CheckName(name) != nil || topic.CheckFilter(filter) != nil {
			return
		}
		if !topic.Match(name, name) {
			t.Errorf("%q does not match itself", name)
		}
		if topic.Match("#", name) == strings.HasPrefix(name, "$") {
			t.Errorf("# and %q", name)
		}
		if topic.Match(filter, name) && !strings.ContainsAny(filter, "+#") && filter != name {
			t.Errorf("%q matches %q", filter, name)
		}
	})
}
