// Package publish turns readings into messages: it renders topic and payload,
// keeps a value that stays bad from being repeated, and hands the messages to
// the broker in order. It knows no bus and no bridge.
package publish

import (
	"context"
	"log/slog"
	"strings"

	"sluice/broker/topic"
	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// queued is how many polls may wait to be published; when all are taken, the
// poller waits, and so does its bus.
const queued = 64

// Sink takes a message to subscribers and bridges. An error means that it may
// not be stored for upstream.
type Sink func(ctx context.Context, m topic.Message) error

// Config of a publisher.
type Config struct {
	Topic         string // template with {site}, {gateway}, {device}, {point}
	Site, Gateway string
	Payload       string // "json" or "value"
	Retain        bool
}

// TopicOf renders the topic of a point.
func (c Config) TopicOf(device, point string) string {
	return strings.NewReplacer("{site}", c.Site, "{gateway}", c.Gateway, "{device}", device, "{point}", point).Replace(c.Topic)
}

// Publisher publishes the readings of all buses.
type Publisher struct {
	cfg     Config
	sink    Sink
	log     *slog.Logger
	batches chan []point.Reading
	last    map[pointID]*published
	failing bool
}

type pointID struct{ device, point string }

// published is what was last said of a point.
type published struct {
	topic   string
	quality point.Quality
	reason  string
	any     bool
}

// New returns a publisher that hands its messages to sink.
func New(cfg Config, sink Sink, log *slog.Logger) *Publisher {
	return &Publisher{cfg: cfg, sink: sink, log: log, batches: make(chan []point.Reading, queued), last: map[pointID]*published{}}
}

// String returns the publisher's name in logs.
func (p *Publisher) String() string { return "publish" }

// Emit queues readings to be published and waits for room. The slice belongs to
// the publisher from then on.
func (p *Publisher) Emit(ctx context.Context, readings []point.Reading) {
	select {
	case p.batches <- readings:
	case <-ctx.Done():
	}
}

// Run publishes until ctx is cancelled, and then what is queued already.
func (p *Publisher) Run(ctx context.Context) error {
	for {
		select {
		case readings := <-p.batches:
			p.publish(ctx, readings)
		case <-ctx.Done():
			p.drain(context.WithoutCancel(ctx))
			return nil
		}
	}
}

func (p *Publisher) drain(ctx context.Context) {
	for {
		select {
		case readings := <-p.batches:
			p.publish(ctx, readings)
		default:
			return
		}
	}
}

func (p *Publisher) publish(ctx context.Context, readings []point.Reading) {
	for _, r := range readings {
		if m, ok := p.message(r); ok {
			p.note(p.sink(ctx, m))
		}
	}
}

// message renders a reading; ok is false when it says nothing new: a bad value
// is published once and again only when its reason changes.
func (p *Publisher) message(r point.Reading) (m topic.Message, ok bool) {
	last := p.point(r)
	if r.Quality == point.Bad && last.any && last.quality == point.Bad && last.reason == r.Reason {
		return m, false
	}
	last.quality, last.reason, last.any = r.Quality, r.Reason, true
	m = topic.Message{Topic: last.topic, QoS: 1, Retain: p.cfg.Retain}
	if p.cfg.Payload == "value" {
		m.Payload, ok = payload.AppendValue(nil, r)
		return m, ok
	}
	m.Payload = payload.AppendJSON(nil, r)
	return m, true
}

func (p *Publisher) point(r point.Reading) *published {
	id := pointID{r.Device, r.Point}
	if last := p.last[id]; last != nil {
		return last
	}
	last := &published{topic: p.cfg.TopicOf(r.Device, r.Point)}
	p.last[id] = last
	return last
}

// note logs when messages begin and cease to be refused.
func (p *Publisher) note(err error) {
	switch {
	case err != nil && !p.failing:
		p.log.Error("messages are not stored for upstream", "error", err)
	case err == nil && p.failing:
		p.log.Info("messages are stored for upstream again")
	}
	p.failing = err != nil
}
