package topic_test

import (
	"fmt"
	"slices"
	"testing"

	"sluice/broker/topic"
)

func TestIndex(t *testing.T) {
	filters := []string{"a", "a/b", "a/+", "a/#", "+", "+/b", "+/#", "#", "/", "/+", "+/+", "$SYS/#", "$SYS/+/x", "a//b", "a/b"}
	var x topic.Index[int]
	for i, f := range filters {
		x.Add(f, i)
	}
	for _, name := range []string{"a", "a/b", "a/b/c", "a/", "/", "/a", "b", "b/b", "$SYS", "$SYS/a/x", "a//b", "$a/b"} {
		var want []int
		for i, f := range filters {
			if topic.Match(f, name) {
				want = append(want, i)
			}
		}
		got := slices.Sorted(x.Match(name))
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
	for range x.Match("a") { // and stops when told so
		break
	}
	for i, f := range filters {
		x.Remove(f, i+100)
		x.Remove(f+"/none", i)
		x.Remove(f, i)
	}
	if fmt.Sprint(x) != fmt.Sprint(topic.Index[int]{}) && fmt.Sprint(x) != "{{map[] []}}" {
		t.Errorf("left behind: %v", x)
	}
}

// FuzzIndex holds the index against Match.
func FuzzIndex(f *testing.F) {
	f.Add("a/#", "+/b", "a/b")
	f.Add("+/#", "#", "$SYS")
	f.Fuzz(func(t *testing.T, first, second, name string) {
		if topic.CheckFilter(first) != nil || topic.CheckFilter(second) != nil || topic.CheckName(name) != nil {
			return
		}
		var x topic.Index[int]
		x.Add(first, 1)
		x.Add(second, 2)
		for i, filter := range []string{first, second} {
			if got := slices.Contains(slices.Collect(x.Match(name)), i+1); got != topic.Match(filter, name) {
				t.Errorf("%q matches %q: %v in the index", filter, name, got)
			}
			x.Remove(filter, i+1)
		}
		for v := range x.Match(name) {
			t.Errorf("%d is left", v)
		}
	})
}
