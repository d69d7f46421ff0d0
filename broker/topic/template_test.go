package topic_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/broker/topic"
)

func TestTemplate(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"fixed/level":             "fixed/level",
		"{site}/{device}/{point}": "<site>/<device>/<point>",
		"a{site}b{site}":          "a<site>b<site>",
		"{a b}":                   "<a b>",
	} {
		tpl, err := topic.ParseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := tpl.Render(func(name string) string { return "<" + name + ">" }); got != want || tpl.String() != text {
			t.Errorf("%q renders %q and is %q, want %q", text, got, tpl, want)
		}
	}
	for _, text := range []string{"{", "}", "{}", "a}b", "{a{b}}", "{a", "a{b}c}"} {
		if _, err := topic.ParseTemplate(text); err == nil {
			t.Errorf("%q is a template", text)
		}
	}
	tpl, _ := topic.ParseTemplate("site/{device}/{point}/{device}")
	if got := tpl.Names(); !slices.Equal(got, []string{"device", "point", "device"}) || !tpl.Has("point") || tpl.Has("site") {
		t.Errorf("names %q, has point %v, site %v", got, tpl.Has("point"), tpl.Has("site"))
	}
}

func TestCheckPortable(t *testing.T) {
	for name, fine := range map[string]bool{
		"a": true, "Plant-7/line_4/u": true, strings.Repeat("a/", 7) + "a": true, strings.Repeat("x", 256): true,
		"": false, "/a": false, "a/": false, "a//b": false, "a b": false, "a.b": false, "$a": false, "a+": false, "a/#": false, "ä": false,
		strings.Repeat("a/", 8) + "a": false, strings.Repeat("x", 257): false,
	} {
		if err := topic.CheckPortable(name); (err == nil) != fine {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzTemplate makes sure that a template renders what stands in it and nothing
// else, and that what is portable is a topic.
func FuzzTemplate(f *testing.F) {
	f.Add("{site}/{device}/{point}", "x")
	f.Add("a{b}{c}d", "{b}")
	f.Add("{", "")
	f.Fuzz(func(t *testing.T, text, value string) {
		tpl, err := topic.ParseTemplate(text)
		if err != nil {
			return
		}
		want := text
		for _, name := range tpl.Names() {
			want = strings.Replace(want, "{"+name+"}", "\x00", 1)
		}
		want = strings.ReplaceAll(want, "\x00", value)
		got := tpl.Render(func(string) string { return value })
		if !strings.Contains(text, "\x00") && got != want {
			t.Errorf("%q renders %q, want %q", text, got, want)
		}
		if topic.CheckPortable(got) == nil && topic.CheckName(got) != nil {
			t.Errorf("%q is portable but no topic", got)
		}
	})
}
