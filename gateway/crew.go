package gateway

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
)

// crew is a task made of tasks that come and go while it runs.
type crew struct {
	name  string
	log   *slog.Logger
	ready chan struct{}

	mu      sync.Mutex // guards what follows
	ctx     context.Context
	fail    context.CancelFunc
	running bool
	members []*member
}

// member is a task of a crew.
type member struct {
	task
	stage *runningStage // nil: not started
}

func newCrew(name string, log *slog.Logger) *crew {
	return &crew{name: name, log: log, ready: make(chan struct{})}
}

// String returns the crew's name in logs.
func (c *crew) String() string { return c.name }

// Ready is closed when all are ready that were members at the start.
func (c *crew) Ready() <-chan struct{} { return c.ready }

// add makes a task a member. It runs as soon as the crew does.
func (c *crew) add(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &member{task: t}
	c.members = append(c.members, m)
	if c.running {
		m.start(c)
	}
}

func (m *member) start(c *crew) {
	m.stage = start(context.WithoutCancel(c.ctx), stage{m.task}, c.fail, c.log)
}

// remove stops a member and waits for its end. The error is why it ended badly.
func (c *crew) remove(t task) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.members, func(m *member) bool { return m.task == t })
	if i < 0 {
		c.mu.Unlock()
		return nil
	}
	m := c.members[i]
	c.members = slices.Delete(c.members, i, i+1)
	c.mu.Unlock()
	if m.stage == nil {
		return nil
	}
	return m.stage.stop()
}

// Run runs the members until ctx is cancelled or one of them fails.
func (c *crew) Run(ctx context.Context) error {
	for _, m := range c.begin(ctx) {
		if !m.stage.awaitReady(c.ctx) {
			break
		}
	}
	close(c.ready)
	<-c.ctx.Done()
	return c.end()
}

// begin starts the members.
func (c *crew) begin(ctx context.Context) []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ctx, c.fail = context.WithCancel(ctx)
	c.running = true
	for _, m := range c.members {
		m.start(c)
	}
	return slices.Clone(c.members)
}

// end stops all members at once.
func (c *crew) end() error {
	c.mu.Lock()
	members := c.members
	c.running, c.members = false, nil
	c.mu.Unlock()
	c.fail()
	for _, m := range members {
		m.stage.cancel()
	}
	var errs []error
	for _, m := range members {
		errs = append(errs, m.stage.stop())
	}
	return errors.Join(errs...)
}
