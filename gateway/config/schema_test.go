package config_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/gateway/config"
	"sluice/mapping"
)

// TestReferenceIsWhole makes sure that the reference gives every key the reader
// knows: what it lacks would have no place in the schema either. Keys that the
// reader does not know are problems, see TestReference.
func TestReferenceIsWhole(t *testing.T) {
	shape, err := config.Shape()
	if err != nil {
		t.Fatal(err)
	}
	walk("", shape, func(path string, s *mapping.Shape) {
		switch {
		case !s.Given:
			t.Errorf("configs/site.yaml has no %s", path)
		case s.Keys == nil && s.Free == nil && s.Items == nil && s.Scalar == nil:
			t.Errorf("nothing read %s when the reference was read: give it where it means something", path)
		}
	})
}

// statedDefault is how the reference says which value holds without a key. Words
// behind a colon describe it instead.
var statedDefault = regexp.MustCompile(`\(default ([^\s;)]+)`)

// TestStatedDefaults makes sure that the reference states no default but the one
// that the reader uses.
func TestStatedDefaults(t *testing.T) {
	shape, err := config.Shape()
	if err != nil {
		t.Fatal(err)
	}
	stated := 0
	walk("", shape, func(path string, s *mapping.Shape) {
		m := statedDefault.FindStringSubmatch(s.Doc)
		if m == nil || s.Scalar == nil || s.Scalar.Default == "" || s.Scalar.Default == "0" && s.Scalar.Min > 0 {
			return // 0 stands for "not given" where it could not be given
		}
		stated++
		want := strings.Trim(m[1], `"`)
		if d, err := time.ParseDuration(want); err == nil && s.Scalar.Form == mapping.Duration {
			want = mapping.FormatDuration(d)
		}
		if want != s.Scalar.Default {
			t.Errorf("%s: the reference says the default is %s, the reader takes %s", path, want, s.Scalar.Default)
		}
	})
	if stated < 20 {
		t.Errorf("only %d defaults compared", stated)
	}
}

// TestSchemasAreJSON makes sure that all that was recorded can be written.
func TestSchemasAreJSON(t *testing.T) {
	for name, schema := range map[string]func() ([]byte, error){"site": config.Schema, "template": config.TemplateSchema} {
		text, err := schema()
		var top struct {
			Schema     string `json:"$schema"`
			Properties map[string]json.RawMessage
		}
		if err == nil {
			err = json.Unmarshal(text, &top)
		}
		if err != nil || top.Schema == "" || len(top.Properties) < 10 {
			t.Errorf("%s: %d properties of %q: %v", name, len(top.Properties), top.Schema, err)
		}
	}
}

// walk calls visit for every key below a place.
func walk(path string, s *mapping.Shape, visit func(string, *mapping.Shape)) {
	for key, value := range s.Keys {
		visit(strings.TrimPrefix(path+"."+key, "."), value)
		walk(path+"."+key, value, visit)
	}
	if s.Items != nil {
		walk(path+"[]", s.Items, visit)
	}
	if s.Free != nil {
		walk(path+".*", s.Free, visit)
	}
}
