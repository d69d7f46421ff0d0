// Package publish turns readings into messages: it decides which are worth one,
// renders topic and payload for every output, and hands the messages to the
// broker in order. It knows no bus and no bridge.
package publish

import (
	"bytes"
	"context"
	"log/slog"

	"sluice/broker/topic"
	"sluice/gateway/progress"
	"sluice/mapping"
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
	Site, Gateway string
	Devices       []mapping.Device
	Outputs       []Output

	// Stopped is the reason for which all values are called stale when Run ends; empty:
	// they are left as they are.
	Stopped string
}

// Publisher publishes the readings of all buses.
type Publisher struct {
	cfg     Config
	sink    Sink
	log     *slog.Logger
	batches chan []point.Reading
	changes chan change
	ended   chan struct{} // closed when Run has
	points  map[pointID]*outlet
	order   []*outlet // as configured
	touched []*group  // by the batch at hand
	buf     []byte
	failing bool
	parting bool             // only what is stale is left to be said
	stopped string           // why values are stale in the end
	clumsy  map[*Output]bool // whose template has failed
	turns   progress.Turns
}

type pointID struct{ device, point string }

// outlet is where the readings of one point go.
type outlet struct {
	device string
	gate   gate
	routes []*route
	places []place
}

// place is one in a group.
type place struct {
	*group
	number int
}

// New returns a publisher that hands its messages to sink.
func New(cfg Config, sink Sink, log *slog.Logger) *Publisher {
	p := &Publisher{
		sink: sink, log: log, batches: make(chan []point.Reading, queued), changes: make(chan change), ended: make(chan struct{}),
		clumsy: map[*Output]bool{},
	}
	p.plan(cfg, nil)
	return p
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

// Run publishes until ctx is cancelled, and then what is queued already, what
// swinging doors hold back. The last word is that all values are stale from now on.
func (p *Publisher) Run(ctx context.Context) error {
	defer close(p.ended)
	for {
		select {
		case readings := <-p.batches:
			p.turns.Begin()
			p.publish(ctx, readings)
			p.turns.End()
		case c := <-p.changes:
			p.turns.Begin()
			p.change(ctx, c)
			p.turns.End()
		case <-ctx.Done():
			p.turns.Begin()
			defer p.turns.End()
			ctx = context.WithoutCancel(ctx)
			p.drain(ctx)
			p.flush(ctx, p.order)
			p.part(ctx)
			return nil
		}
	}
}

// Turns lets a watchdog see that the publisher makes progress.
func (p *Publisher) Turns() uint64 { return p.turns.Count() }

// drain publishes what is queued.
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

// flush publishes what swinging doors hold back.
func (p *Publisher) flush(ctx context.Context, outlets []*outlet) {
	for _, o := range outlets {
		if held, ok := o.gate.flush(); ok {
			p.routes(ctx, o, []point.Reading{held})
		}
	}
}

// part says of all values that nobody asks for them any more.
func (p *Publisher) part(ctx context.Context) {
	if p.stopped == "" {
		return
	}
	p.touched, p.parting = p.touched[:0], true
	for _, o := range p.order {
		last := o.gate.last
		if last.Value.Kind() == point.None || last.Quality == point.Stale || o.gate.rule.Steps { // a step would be added twice
			continue
		}
		last.Quality, last.Reason = point.Stale, p.stopped
		p.take(ctx, o, last)
	}
	for _, g := range p.touched {
		p.say(ctx, g.lane, g.full())
	}
}

// publish makes the messages that the readings of one request are worth.
func (p *Publisher) publish(ctx context.Context, readings []point.Reading) {
	p.touched = p.touched[:0]
	for _, r := range readings {
		if o := p.points[pointID{r.Device, r.Point}]; o != nil {
			p.take(ctx, o, r)
		}
	}
	for _, g := range p.touched {
		p.say(ctx, g.lane, g.full())
	}
}

// take leads one reading to all outputs.
func (p *Publisher) take(ctx context.Context, o *outlet, r point.Reading) {
	news := o.gate.pass(r)
	p.routes(ctx, o, news.all())
	for _, s := range o.routes {
		if every := s.output.Interval; every > 0 && s.due(r, every) {
			p.say(ctx, s.lane, []point.Reading{r})
		}
	}
	for _, pl := range o.places {
		changed := news.n > 0 || o.gate.rule.Swing > 0 // what a door holds back a group cannot give later
		p.say(ctx, pl.lane, pl.put(pl.number, r, changed))
		p.touch(pl.group)
	}
}

// routes publishes readings of a point on the topics that it has for itself.
func (p *Publisher) routes(ctx context.Context, o *outlet, readings []point.Reading) {
	for i := range readings {
		for _, s := range o.routes {
			if s.output.Interval == 0 {
				p.say(ctx, s.lane, readings[i:i+1])
			}
		}
	}
}

func (p *Publisher) touch(g *group) {
	if n := len(p.touched); n == 0 || p.touched[n-1] != g {
		p.touched = append(p.touched, g) // more than once does no harm
	}
}

// say publishes a message about readings, if there are any and the form has a way
// to say it.
func (p *Publisher) say(ctx context.Context, l lane, readings []point.Reading) {
	if len(readings) == 0 || p.parting && l.output.Format.Form == payload.Value { // which has no word for stale
		return
	}
	out, ok, err := l.writer.Append(p.buf[:0], readings)
	p.buf = out[:0]
	if err != nil && !p.clumsy[l.output] {
		p.clumsy[l.output] = true
		p.log.Error("a template cannot say everything; what it cannot is not published", "topic", l.topic, "error", err)
	}
	if !ok {
		return
	}
	p.note(p.sink(ctx, topic.Message{Topic: l.topic, Payload: bytes.Clone(out), QoS: 1, Retain: l.output.Retain}))
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
