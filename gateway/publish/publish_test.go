package publish_test

import (
	"context"
	"errors"
	"log/slog"
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

// site is one device with one point, published as JSON.
func site(template string) publish.Config {
	name, err := topic.ParseTemplate(template)
	if err != nil {
		panic(err)
	}
	points := []mapping.Point{{ID: "voltage", Interval: time.Second, Unit: "V"}}
	return publish.Config{
		Site: "pump-house-3", Gateway: "gw-1", Devices: []mapping.Device{{ID: "meter", Points: points}},
		Outputs: []publish.Output{{Topic: name, Retain: true}},
	}
}

// published runs a publisher over batches of readings and returns what it made
// of them as "topic payload".
func published(t *testing.T, cfg publish.Config, batches ...[]point.Reading) []string {
	t.Helper()
	var out []string
	p := publish.New(cfg, func(_ context.Context, m topic.Message) error {
		if m.QoS != 1 || m.Retain != cfg.Outputs[0].Retain {
			t.Errorf("message %+v, want QoS 1 and retain %v", m, cfg.Outputs[0].Retain)
		}
		out = append(out, m.Topic+" "+string(m.Payload))
		return nil
	}, slog.New(slog.DiscardHandler))
	for _, b := range batches {
		p.Emit(t.Context(), b)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx); err != nil {
		t.Error(err)
	}
	return out
}

func reading(v point.Value, reason string) []point.Reading {
	r := point.Reading{Device: "meter", Point: "voltage", Unit: "V", Value: v, Reason: reason, Time: time.UnixMilli(1795211000123)}
	if reason != "" {
		r.Quality = point.Bad
	}
	return []point.Reading{r}
}

func TestMessages(t *testing.T) {
	good, bad := reading(point.FloatValue(230), ""), reading(point.Value{}, "timeout")
	const prefix = "pump-house-3/meter/voltage "
	want := []string{
		prefix + `{"value":230.0,"unit":"V","quality":"good","ts":1795211000123}`,
		prefix + `{"value":null,"unit":"V","quality":"bad","reason":"timeout","ts":1795211000123}`,
		prefix + `{"value":null,"unit":"V","quality":"bad","reason":"exception 2","ts":1795211000123}`,
		prefix + `{"value":230.0,"unit":"V","quality":"good","ts":1795211000123}`,
	}
	got := published(t, site("{site}/{device}/{point}"), good, bad, bad, reading(point.Value{}, "exception 2"), good)
	if !slices.Equal(got, want) {
		t.Errorf("published\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBareValues(t *testing.T) {
	cfg := site("plant/{gateway}/{device}/{point}")
	cfg.Outputs[0].Format.Form, cfg.Outputs[0].Retain = payload.Value, false
	got := published(t, cfg, reading(point.FloatValue(230), ""), reading(point.Value{}, "timeout"), reading(point.BoolValue(true), ""))
	if want := []string{"plant/gw-1/meter/voltage 230.0", "plant/gw-1/meter/voltage 1"}; !slices.Equal(got, want) {
		t.Errorf("published %q, want %q", got, want)
	}
}

// TestFullQueueHoldsThePoller makes sure that nothing is dropped between a poll
// and the broker: Emit waits.
func TestFullQueueHoldsThePoller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		sunk := 0
		p := publish.New(site("{device}/{point}"), func(context.Context, topic.Message) error {
			<-release
			sunk++
			return errors.New("queue is full")
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		emitted := make(chan int, 1000)
		go func() {
			for i := range 100 {
				p.Emit(ctx, reading(point.IntValue(int64(i)), ""))
				emitted <- i
			}
			close(emitted)
		}()
		synctest.Wait()
		if n := len(emitted); n != 65 {
			t.Errorf("%d batches taken, want 64 in the queue and 1 on its way", n)
		}
		close(release)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if sunk != 100 {
			t.Errorf("%d messages reached the broker, want 100", sunk)
		}
	})
}
