package publish_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/topic"
	"sluice/gateway/publish"
	"sluice/mapping"
	"sluice/mapping/point"
)

// TestApply changes one of two devices under way: the other's readings go on to be
// compared with what was published before, in their order.
func TestApply(t *testing.T) {
	with := func(template string, interval time.Duration, devices ...string) publish.Config {
		cfg := site(template)
		cfg.Devices = nil
		for _, id := range devices {
			p := mapping.Point{ID: "voltage", Interval: time.Second, Report: mapping.Report{When: mapping.OnChange}}
			if id == "b" {
				p.Interval = interval
			}
			cfg.Devices = append(cfg.Devices, mapping.Device{ID: id, Points: []mapping.Point{p}})
		}
		return cfg
	}
	before := with("{device}/{point}", time.Second, "a", "b")
	for _, tt := range []struct {
		name  string
		after publish.Config
		again []string // topics of what has not changed, published once more
	}{
		{"nothing", with("{device}/{point}", time.Second, "a", "b"), nil},
		{"a device", with("{device}/{point}", time.Minute, "a", "b"), []string{"b/voltage"}},
		{"one device less", with("{device}/{point}", time.Second, "b"), nil},
		{"one device more", with("{device}/{point}", time.Second, "a", "b", "c"), []string{"c/voltage"}},
		{"the topics", with("new/{device}/{point}", time.Second, "a", "b"), []string{"new/a/voltage", "new/b/voltage"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var topics []string
			p := publish.New(before, func(_ context.Context, m topic.Message) error {
				topics = append(topics, m.Topic)
				return nil
			}, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			read := func(devices ...string) {
				for _, d := range devices {
					p.Emit(ctx, []point.Reading{{Device: d, Point: "voltage", Value: point.FloatValue(230), Time: time.Now()}})
				}
			}
			read("a", "b")
			if err := p.Apply(ctx, tt.after); err != nil {
				t.Fatal(err)
			}
			if want := []string{"a/voltage", "b/voltage"}; !slices.Equal(topics, want) {
				t.Errorf("%s: what was queued before: %q", tt.name, topics)
			}
			topics = nil
			read("a", "b", "c")
			synctest.Wait()
			if !slices.Equal(topics, tt.again) {
				t.Errorf("%s: then %q, want %q", tt.name, topics, tt.again)
			}
			cancel()
			<-ended
		})
	}
}

// TestApplyLetsOutWhatADoorHolds publishes it on the topic that it was read for.
func TestApplyLetsOutWhatADoorHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out []string
		cfg := site("{device}/{point}")
		cfg.Devices[0].Points[0].Report = mapping.Report{When: mapping.OnChange, Swing: 1}
		p := publish.New(cfg, func(_ context.Context, m topic.Message) error {
			out = append(out, m.Topic)
			return nil
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		for range 3 {
			r := reading(point.FloatValue(230), "")
			r[0].Time = time.Now()
			p.Emit(ctx, r)
			time.Sleep(time.Second)
		}
		if err := p.Apply(ctx, site("new/{device}/{point}")); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-ended
		if want := []string{"meter/voltage", "meter/voltage"}; !slices.Equal(out, want) {
			t.Errorf("%q, want %q", out, want)
		}
		if err := p.Apply(ctx, cfg); err == nil {
			t.Error("one that does not run has applied it")
		}
	})
}

// TestApplyTooLate: who wants to change a publisher that has ended does not wait for it.
func TestApplyTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := site("{device}/{point}")
		p := publish.New(cfg, func(context.Context, topic.Message) error { return nil }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(t.Context(), cfg); !errors.Is(err, publish.ErrEnded) {
			t.Errorf("%v", err)
		}
	})
}
