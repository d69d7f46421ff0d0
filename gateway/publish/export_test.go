package publish

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sluice/broker/topic"
	"sluice/mapping/point"
)

// MeasurePoll measures the messages made of one poll, again and again.
func MeasurePoll(b *testing.B, cfg Config, readings []point.Reading) {
	messages := 0
	p := New(cfg, func(context.Context, topic.Message) error {
		messages++
		return nil
	}, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	polls := 0
	for b.Loop() {
		for i := range readings {
			readings[i].Time = readings[i].Time.Add(time.Second)
		}
		p.publish(b.Context(), readings)
		polls++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(polls*len(readings)), "ns/point")
	b.ReportMetric(float64(messages)/float64(polls), "messages/poll")
}
