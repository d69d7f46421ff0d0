// Package homeassistant announces the points of a site to Home Assistant on the
// local broker, by its discovery for whole devices: each device of the site
// becomes one there, with an entity for each point. It repeats that when Home
// Assistant comes back, and takes back what the site has no longer, also after a
// restart. It knows the topics and names of points, and no values.
//
// An entity is unavailable while the quality of its point is bad, and expires when
// a message that should have come has not. The gateway itself needs no topic for
// that: the broker that Home Assistant is connected to ends with it.
package homeassistant

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sluice/broker/topic"
	"sluice/mapping/point"
)

// Prefix is below which Home Assistant looks for announcements.
const Prefix = "homeassistant"

// statusTopic is where Home Assistant says that it is back.
const statusTopic = Prefix + "/status"

// Sink takes a message to subscribers.
type Sink func(ctx context.Context, m topic.Message) error

// Config is what there is to announce.
type Config struct {
	Gateway string // distinguishes the devices of several gateways
	Version string // of the program
	Devices []Device
	Memory  string // file that keeps across restarts what was announced; empty: nothing is kept
}

// Device is a device of the site.
type Device struct {
	ID, Name, Model string
	Points          []Point
}

// Point becomes an entity.
type Point struct {
	ID    string
	Topic string // of its JSON messages
	Kind  point.Kind
	Unit  string
	// Classes as Home Assistant has them; empty: by the unit; "none": none.
	DeviceClass, StateClass string
	Every                   time.Duration // between two messages at the longest; 0: no bound
	Control                 *Control      // nil: it can only be read
}

// Announcer announces the points of a site. It does so once it runs, and again
// whenever Home Assistant says that it is online.
type Announcer struct {
	cfg    Config
	sink   Sink
	log    *slog.Logger
	online chan struct{}
	past   record // announced before, and not here any more
}

// New returns an announcer that hands its messages to sink.
func New(cfg Config, sink Sink, log *slog.Logger) *Announcer {
	return &Announcer{cfg: cfg, sink: sink, log: log, online: make(chan struct{}, 1)}
}

// String returns the announcer's name in logs.
func (a *Announcer) String() string { return "homeassistant" }

// Topics are those of all announcements, which no client may publish to.
func (a *Announcer) Topics() []string {
	var topics []string
	for _, d := range a.cfg.Devices {
		topics = append(topics, a.topic(a.object(d)))
	}
	return topics
}

// Tap is offered every message on the broker, and wants none.
func (a *Announcer) Tap(m topic.Message) (wait func(context.Context) error, err error) {
	if m.Topic == statusTopic && string(m.Payload) == "online" {
		select {
		case a.online <- struct{}{}:
		default: // it will be announced anyway
		}
	}
	return nil, nil
}

// Run announces until ctx is cancelled.
func (a *Announcer) Run(ctx context.Context) error {
	a.past = a.recall().without(a.present())
	a.announce(ctx)
	a.remember(a.present().and(a.past))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.online:
			a.announce(ctx)
			if len(a.past) > 0 { // Home Assistant has heard of it
				a.past = nil
				a.remember(a.present())
			}
		}
	}
}

// announce publishes the announcement of every device, and takes back those that
// are gone.
func (a *Announcer) announce(ctx context.Context) {
	mine := map[string]bool{}
	for _, d := range a.cfg.Devices {
		object := a.object(d)
		mine[object] = true
		text, err := json.Marshal(a.announcement(d, a.past[object]))
		if err != nil { // strings and numbers: it cannot fail
			a.log.Error("a device cannot be announced to Home Assistant", "device", d.ID, "error", err)
			continue
		}
		a.publish(ctx, object, text)
	}
	for _, object := range slices.Sorted(maps.Keys(a.past)) {
		if !mine[object] {
			a.publish(ctx, object, nil)
		}
	}
}

func (a *Announcer) publish(ctx context.Context, object string, text []byte) {
	err := a.sink(ctx, topic.Message{Topic: a.topic(object), Payload: text, QoS: 1, Retain: true})
	if err != nil && ctx.Err() == nil {
		a.log.Warn("an announcement to Home Assistant was not taken", "topic", a.topic(object), "error", err)
	}
}

// object names a device of this gateway among all others.
func (a *Announcer) object(d Device) string { return a.cfg.Gateway + "_" + d.ID }

func (a *Announcer) topic(object string) string { return Prefix + "/device/" + object + "/config" }
