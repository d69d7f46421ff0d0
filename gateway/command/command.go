// Package command carries out what is published on the command topics of points:
// it checks each command, writes to the device, and tells exactly one result. A
// command with an id runs once or not at all, over kills and repetitions; what is
// not known to have failed is called unknown and never tried again. Nothing waits
// for a device that is away. The package knows no bus, no broker and no bridge.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/broker/topic"
	"sluice/drivers/modbus"
	"sluice/mapping"
)

// Exchange performs one exchange before all polls. Cancelling ctx keeps the request
// from going out, and has no effect once it is on the wire. Errors carry a
// modbus.Fault, and modbus.ErrNotSent where it is known.
type Exchange func(ctx context.Context, req modbus.Request, t modbus.Timing) (data []byte, err error)

// Device is a device with points that may be written.
type Device struct {
	*mapping.Device
	Points   map[string]*mapping.Point // by their command topics; all have Write
	Line     modbus.Line
	Gap      time.Duration // silence before each request on top of the line's own
	Exchange Exchange
	Offline  func() bool // the device does not answer; nil: not known
}

// Config of a commander.
type Config struct {
	Devices []Device
	Journal *Journal                                   // of results; nil: none is remembered
	Publish func(context.Context, topic.Message) error // takes results
	Synced  func() bool                                // the time of day can be trusted
}

// Suffix is what a result's topic has behind that of its command.
const Suffix = "/result"

const (
	waiting    = 64   // commands to a device at most; what is more is refused
	maxPayload = 4096 // bytes of a command
)

var (
	errBusy    = errors.New("too many commands to this device wait")
	errStopped = errors.New("the gateway has stopped")
)

// Commander carries out commands, one at a time for each device.
type Commander struct {
	cfg   Config
	log   *slog.Logger
	desks []*desk
	at    map[string]*desk // by command topic

	mu      sync.Mutex // guards stopped, and held while a command is taken
	stopped bool
}

// New returns a commander that runs with Run.
func New(cfg Config, log *slog.Logger) *Commander {
	c := &Commander{cfg: cfg, log: log, at: map[string]*desk{}}
	for _, d := range cfg.Devices {
		k := &desk{Device: d, commander: c, inbox: make(chan received, waiting), log: log.With("device", d.ID)}
		c.desks = append(c.desks, k)
		for name := range d.Points {
			c.at[name] = k
		}
	}
	return c
}

// String returns the commander's name in logs.
func (c *Commander) String() string { return "command" }

// received is a command as it came.
type received struct {
	topic.Message
	at time.Time
}

// Tap is offered every message on the local broker. It takes commands, and refuses
// those that there is no room for.
func (c *Commander) Tap(m topic.Message) (wait func(context.Context) error, err error) {
	k := c.at[m.Topic]
	if k == nil {
		return nil, nil
	}
	m.Payload = bytes.Clone(m.Payload[:min(len(m.Payload), maxPayload+1)])
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, fmt.Errorf("command %s: %w", m.Topic, errStopped)
	}
	select {
	case k.inbox <- received{m, time.Now()}:
		return nil, nil
	default:
		return nil, fmt.Errorf("command %s: %w", m.Topic, errBusy)
	}
}

// Run carries out commands until ctx is cancelled; an exchange that is on the wire
// then is finished, and commands that wait get the result that they failed. First
// it tells what is unknown since the last time.
func (c *Commander) Run(ctx context.Context) error {
	for _, e := range c.cfg.Journal.takeUnknown() {
		c.log.Warn("a command was under way when the gateway ended; it is not repeated", "topic", e.Topic, "id", e.Result.ID)
		c.tell(ctx, e.Topic, *e.Result)
	}
	var work sync.WaitGroup
	for _, k := range c.desks {
		work.Go(func() { k.run(ctx) })
	}
	work.Wait()
	<-ctx.Done()
	c.end(ctx)
	return nil
}

// end takes no more commands, and answers those that nobody will carry out.
func (c *Commander) end(ctx context.Context) {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
	for _, k := range c.desks {
		for len(k.inbox) > 0 {
			k.handle(ctx, <-k.inbox)
		}
	}
}

// tell publishes a result.
func (c *Commander) tell(ctx context.Context, name string, r Result) {
	err := c.cfg.Publish(context.WithoutCancel(ctx), topic.Message{Topic: name + Suffix, Payload: r.text(), QoS: 1})
	if err != nil {
		c.log.Error("the result of a command is not stored for upstream", "topic", name+Suffix, "error", err)
	}
}
