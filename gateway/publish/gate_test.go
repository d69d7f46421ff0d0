package publish_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// told runs a point with the report rule through readings one second apart and
// returns at which seconds what was published, such as "0:20.0 4:21.0". A text
// among the values is the reason of a bad reading.
func told(t *testing.T, rule mapping.Report, values ...any) string {
	t.Helper()
	var out []string
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		cfg := one(rule)
		p := publish.New(cfg, func(_ context.Context, m topic.Message) error {
			out = append(out, fmt.Sprintf("%d:%s", time.Since(start)/time.Second, m.Payload))
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		for _, v := range values {
			r := point.Reading{Device: "tank", Point: "level", Time: time.Now()}
			switch v := v.(type) {
			case float64:
				r.Value = point.FloatValue(v)
			case bool:
				r.Value = point.BoolValue(v)
			case string:
				r.Quality, r.Reason = point.Bad, v
			}
			p.Emit(ctx, []point.Reading{r})
			synctest.Wait()
			time.Sleep(time.Second)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return strings.Join(out, " ")
}

// one is a site with one point, of which the second of the time is published, too.
func one(rule mapping.Report) publish.Config {
	text, err := payload.ParseTemplate(`{{if .Good}}{{.Text}}{{else}}{{.Reason}}{{end}}`)
	if err != nil {
		panic(err)
	}
	name, _ := topic.ParseTemplate("{device}/{point}")
	points := []mapping.Point{{ID: "level", Interval: time.Second, Report: rule}}
	return publish.Config{
		Devices: []mapping.Device{{ID: "tank", Points: points}},
		Outputs: []publish.Output{{Topic: name, Format: payload.Format{Form: payload.Custom, Template: text}}},
	}
}

func TestGate(t *testing.T) {
	change := mapping.Report{When: mapping.OnChange}
	band := mapping.Report{When: mapping.OnChange, Deadband: 0.3}
	percent := mapping.Report{When: mapping.OnChange, Deadband: 10, Percent: true}
	for _, tt := range []struct {
		name   string
		rule   mapping.Report
		values []any
		want   string
	}{
		{"always", mapping.Report{}, []any{20.0, 20.0, 21.0}, "0:20.0 1:20.0 2:21.0"},
		{"never", mapping.Report{When: mapping.Never}, []any{20.0, "timeout", 21.0}, ""},
		{"a bad value is said once for each reason", mapping.Report{}, []any{"timeout", "timeout", "exception 2", "exception 2", 20.0, "timeout"},
			"0:timeout 2:exception 2 4:20.0 5:timeout"},
		{"on change", change, []any{20.0, 20.0, 21.0, 21.0, 20.0}, "0:20.0 2:21.0 4:20.0"},
		{"on change of a step", mapping.Report{When: mapping.OnChange, Steps: true}, []any{0.0, 5.0, 5.0, 0.0, 5.0}, "0:0.0 1:5.0 2:5.0 4:5.0"},
		{"on change of a truth value", change, []any{true, true, false}, "0:1 2:0"},
		{"the first good value after a bad one", change, []any{20.0, "timeout", 20.0, 20.0}, "0:20.0 1:timeout 2:20.0"},
		{"deadband", band, []any{20.0, 20.3, 19.7, 20.31, 20.01, 20.0}, "0:20.0 3:20.31 5:20.0"},
		{"deadband measures from what was published", band, []any{20.0, 20.2, 20.4, 20.6, 20.8}, "0:20.0 2:20.4 4:20.8"},
		{"deadband never hides quality", band, []any{20.0, "timeout", 20.1, 20.2}, "0:20.0 1:timeout 2:20.1"},
		{"deadband on a truth value", band, []any{true, false, false}, "0:1 1:0"},
		{"percent", percent, []any{200.0, 220.0, 180.0, 220.1, 200.0, 198.0}, "0:200.0 3:220.1 5:198.0"},
		{"percent of nothing", percent, []any{0.0, 0.0, 0.001}, "0:0.0 2:0.001"},
		{"max interval", mapping.Report{When: mapping.OnChange, MaxInterval: 3 * time.Second},
			[]any{5.0, 5.0, 5.0, 5.0, 5.0, 6.0, 6.0, 6.0, 6.0}, "0:5.0 3:5.0 5:6.0 8:6.0"},
		{"max interval between two polls", mapping.Report{When: mapping.OnChange, MaxInterval: 2400 * time.Millisecond},
			[]any{5.0, 5.0, 5.0, 5.0, 5.0}, "0:5.0 2:5.0 4:5.0"},
		{"max interval repeats a bad value", mapping.Report{When: mapping.OnChange, MaxInterval: 2 * time.Second},
			[]any{"timeout", "timeout", "timeout"}, "0:timeout 2:timeout"},
		{"min interval holds back a change", mapping.Report{When: mapping.OnChange, MinInterval: 3 * time.Second},
			[]any{1.0, 2.0, 3.0, 4.0, 4.0, 4.0, 4.0}, "0:1.0 3:4.0"},
		{"min interval with always", mapping.Report{MinInterval: 2 * time.Second}, []any{1.0, 1.0, 1.0, 1.0, 1.0}, "0:1.0 2:1.0 4:1.0"},
		{"min interval never holds back quality", mapping.Report{MinInterval: time.Minute}, []any{1.0, "timeout", 2.0, 3.0}, "0:1.0 1:timeout 2:2.0"},
		{"min interval that has passed lets an old change through", mapping.Report{When: mapping.OnChange, MinInterval: 2 * time.Second, Deadband: 0.5},
			[]any{1.0, 2.0, 2.0, 2.2, 2.4}, "0:1.0 2:2.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(t, tt.rule, tt.values...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestSwingingDoor(t *testing.T) {
	door := mapping.Report{When: mapping.OnChange, Swing: 0.5}
	beating := door
	beating.MaxInterval = 3 * time.Second
	for _, tt := range []struct {
		name   string
		rule   mapping.Report
		values []any
		want   string
	}{
		{"a straight line is its two ends", door, []any{0.0, 1.0, 2.0, 3.0, 4.0}, "0:0.0 5:4.0"},
		{"a corner comes one reading later", door, []any{0.0, 0.0, 0.0, 5.0, 10.0, 15.0}, "0:0.0 3:0.0 6:15.0"},
		{"noise below the width", door, []any{0.0, 0.2, -0.2, 0.2, -0.2, 0.0}, "0:0.0 6:0.0"},
		{"what is held goes before a change of quality", door, []any{0.0, 1.0, 2.0, "timeout", 7.0}, "0:0.0 3:2.0 3:timeout 4:7.0"},
		{"max interval", beating, []any{0.0, 1.0, 2.0, 3.0, 4.0}, "0:0.0 3:3.0 5:4.0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := told(t, tt.rule, tt.values...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestSwingingDoorKeepsItsPromise rebuilds thousands of random curves from what
// was published of them.
func TestSwingingDoorKeepsItsPromise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kept, all := 0, 0
	for round := range 300 {
		width := math.Exp(r.NormFloat64())
		curve := randomCurve(r, 60)
		got := doorOn(t, curve, width)
		kept, all = kept+len(got), all+len(curve)
		if !got[0].Time.Equal(curve[0].Time) || !got[len(got)-1].Time.Equal(curve[len(curve)-1].Time) {
			t.Fatalf("round %d: the ends are missing", round)
		}
		for _, x := range curve {
			if e := math.Abs(between(got, x.Time) - x.Value.Float()); e > width*(1+1e-9) {
				t.Fatalf("round %d: %v is %v from the line, want %v at most", round, x, e, width)
			}
		}
	}
	if kept > all*2/3 {
		t.Errorf("%d of %d readings were published: the door saves nothing", kept, all)
	}
}

// randomCurve is a walk with jumps, noise and irregular times.
func randomCurve(r *rand.Rand, n int) []point.Reading {
	at, level, trend := time.UnixMilli(1795211000123), 0.0, 0.0
	curve := make([]point.Reading, n)
	for i := range curve {
		at = at.Add(time.Duration(1+r.IntN(3000)) * time.Millisecond)
		trend += r.NormFloat64() / 10
		level += trend + r.NormFloat64()/5
		if r.IntN(20) == 0 {
			level += 10 * r.NormFloat64()
		}
		curve[i] = point.Reading{Device: "tank", Point: "level", Value: point.FloatValue(level), Time: at}
	}
	return curve
}

// doorOn returns the readings that a swinging door publishes of a curve.
func doorOn(t *testing.T, curve []point.Reading, width float64) []point.Reading {
	t.Helper()
	cfg := one(mapping.Report{When: mapping.OnChange, Swing: width})
	text, err := payload.ParseTemplate(`{{.Number}} {{.UnixMilli}}`)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Outputs[0].Format.Template = text
	var out []point.Reading
	for _, line := range published(t, cfg, slices.Collect(slices.Chunk(curve, 1))...) {
		var v float64
		var ms int64
		if _, err := fmt.Sscanf(line, "tank/level %g %d", &v, &ms); err != nil {
			t.Fatal(line, err)
		}
		out = append(out, point.Reading{Value: point.FloatValue(v), Time: time.UnixMilli(ms)})
	}
	return out
}

// between is the straight line through the published readings.
func between(got []point.Reading, at time.Time) float64 {
	i, found := slices.BinarySearchFunc(got, at, func(r point.Reading, at time.Time) int { return r.Time.Compare(at) })
	if found {
		return got[i].Value.Float()
	}
	a, b := got[i-1], got[i]
	share := float64(at.Sub(a.Time)) / float64(b.Time.Sub(a.Time))
	return a.Value.Float() + share*(b.Value.Float()-a.Value.Float())
}
