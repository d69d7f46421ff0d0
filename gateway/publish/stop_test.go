package publish_test

import (
	"slices"
	"testing"

	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// TestStop: the last word about a value is that it is stale, if it was not bad, can
// be said so, and is no step of a counter, which would be added twice.
func TestStop(t *testing.T) {
	good, bad := reading(point.FloatValue(230), ""), reading(point.Value{}, "timeout")
	const first = `gw-1/meter/voltage {"value":230.0,"unit":"V","quality":"good","ts":1795211000123}`
	const last = `gw-1/meter/voltage {"value":230.0,"unit":"V","quality":"stale","reason":"gateway stopped","ts":1795211000123}`
	for _, tt := range []struct {
		name   string
		change func(*mapping.Report, *payload.Format)
		read   [][]point.Reading
		want   []string
	}{
		{"good", func(*mapping.Report, *payload.Format) {}, [][]point.Reading{good}, []string{first, last}},
		{"nothing read", func(*mapping.Report, *payload.Format) {}, nil, nil},
		{"bad", func(*mapping.Report, *payload.Format) {}, [][]point.Reading{bad},
			[]string{`gw-1/meter/voltage {"value":null,"unit":"V","quality":"bad","reason":"timeout","ts":1795211000123}`}},
		{"step", func(r *mapping.Report, _ *payload.Format) { r.Steps = true }, [][]point.Reading{good}, []string{first}},
		{"bare", func(_ *mapping.Report, f *payload.Format) { f.Form = payload.Value }, [][]point.Reading{good}, []string{"gw-1/meter/voltage 230.0"}},
	} {
		cfg := site("{gateway}/{device}/{point}")
		cfg.Stopped = "gateway stopped"
		tt.change(&cfg.Devices[0].Points[0].Report, &cfg.Outputs[0].Format)
		if got := published(t, cfg, tt.read...); !slices.Equal(got, tt.want) {
			t.Errorf("%s: published %q, want %q", tt.name, got, tt.want)
		}
	}
}
