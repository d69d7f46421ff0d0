package mapping_test

import (
	"slices"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"sluice/mapping"
)

// described reads a text by the function and returns the shape recorded.
func described(t *testing.T, text string, read func(mapping.Node)) (*mapping.Shape, mapping.Problems) {
	t.Helper()
	file := mapping.NewFile("f", []byte(text))
	shape := file.Describe()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	read(file.Root(&doc))
	return shape, file.Problems
}

func TestShapeIsWhatWasRead(t *testing.T) {
	shape, problems := described(t, `
list:
  - {a: 1, way: near}   # * both of them,
                        #   on two lines
  - {a: 2, b: "# no"}
free: {x: 5s, y: 1d}
`, func(n mapping.Node) {
		m := n.Map("list", "free", "never")
		for i, item := range m.Need("list", "[]").Seq() {
			im := item.Map("a", "b", "way")
			im.Need("a", "1")
			im.Need("a", "1").Int(1, 2+i, 1)
			if i == 1 {
				im.Need("b", "x").Text()
			}
			im.Get("way").Choice("far", "near")
		}
		for _, e := range m.Get("free").Entries() {
			e.Value.Duration(time.Second, time.Hour, time.Minute)
		}
	})
	list := shape.Keys["list"].Items
	switch a := list.Keys["a"]; {
	case a.Scalar.Form != mapping.Int || a.Scalar.Min != 1 || a.Scalar.Max != 3:
		t.Errorf("a: %+v, want a number from 1 to 3: what either reading takes", a.Scalar)
	case a.Doc != "both of them, on two lines":
		t.Errorf("a: comment %q", a.Doc)
	}
	if !list.Required("a") || list.Required("b") || !shape.Required("list") || shape.Required("free") {
		t.Error("required: want a key that every reading needed, no other")
	}
	if w := list.Keys["way"].Scalar.Words; !slices.Equal(w, []string{"far", "near"}) {
		t.Errorf("way: words %q", w)
	}
	if d := list.Keys["b"].Doc; d != "" {
		t.Errorf("b: comment %q, want none: that # is in quotes", d)
	}
	if d := shape.Keys["free"].Free.Scalar; d.Form != mapping.Duration || d.Default != "1m" {
		t.Errorf("free: %+v", d)
	}
	if shape.Keys["never"].Given || !shape.Keys["list"].Given {
		t.Error("given: want what stands in the file, no more")
	}
	if len(problems) != 1 { // y is longer than an hour
		t.Errorf("problems %v", problems)
	}
}

func TestEntriesKeepOrderAndRefuseTwins(t *testing.T) {
	var keys []string
	_, problems := described(t, "{b: 1, a: 2, b: 3}", func(n mapping.Node) {
		for _, e := range n.Entries() {
			keys = append(keys, e.Key.Text()+"="+e.Value.Text())
		}
	})
	if !slices.Equal(keys, []string{"b=1", "a=2"}) || len(problems) != 1 {
		t.Errorf("entries %q, problems %v", keys, problems)
	}
	if _, problems = described(t, "[1]", func(n mapping.Node) { n.Entries() }); len(problems) != 1 {
		t.Errorf("a list for a mapping: problems %v", problems)
	}
}
