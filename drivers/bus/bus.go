// Package bus serves one Modbus line. A single goroutine owns the port, takes
// requests in turn, commands before polls, and brings the port back after it
// failed. Pollers and commands share a Bus; it knows nothing of points, nor of
// how its Transport moves a frame.
package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sluice/drivers/modbus"
	"sluice/gateway/backoff"
)

// Transport is an open line. NotBefore returns the time before which it would
// refuse a request to the unit with modbus.ErrInDoubt.
type Transport interface {
	modbus.Transport
	NotBefore(modbus.UnitID) time.Time
	io.Closer
}

// timed is a Transport that knows how long the unit took to begin its last reply.
type timed interface{ Latency() time.Duration }

// Config describes one line.
type Config struct {
	ID   string // as in the site file, for logs
	Line modbus.Line
	Open func() (Transport, error) // called again whenever the port has failed
}

// Priority says who goes first.
type Priority uint8

// The priorities, first served first. Within one, requests are served in the
// order they came.
const (
	Command Priority = iota
	Poll
)

// Response is the reply to one request.
type Response struct {
	Data    []byte        // registers or coils as on the wire; nil for a write
	At      time.Time     // when the reply ended
	Latency time.Duration // end of the request to the first byte of the reply; 0: not known
}

// InDoubt is the error of a poll that was not sent because its unit may still
// answer an older request, and that reply could be taken for this one's. Whoever
// polls has others to serve meanwhile.
type InDoubt struct {
	Unit  modbus.UnitID
	Until time.Time
}

// Error names the unit and how long to wait.
func (e *InDoubt) Error() string {
	return fmt.Sprintf("unit %d %v for %v", e.Unit, modbus.ErrInDoubt, time.Until(e.Until).Round(time.Millisecond))
}

// Unwrap returns modbus.ErrInDoubt.
func (e *InDoubt) Unwrap() error { return modbus.ErrInDoubt }

// NotBefore returns when to come again.
func (e *InDoubt) NotBefore() time.Time { return e.Until }

// errStopped is why a Bus that no longer runs refuses requests.
var errStopped = errors.New("the bus has stopped")

// Bus is one line and whoever waits for it.
type Bus struct {
	cfg   Config
	log   *slog.Logger
	queue *queue
	ready chan struct{}
	stats ledger
}

// New returns a bus that does nothing before Run.
func New(cfg Config, log *slog.Logger) *Bus {
	return &Bus{
		cfg:   cfg,
		log:   log.With("bus", cfg.ID),
		queue: newQueue(),
		ready: make(chan struct{}),
	}
}

// String is "bus " and the ID.
func (b *Bus) String() string { return "bus " + b.cfg.ID }

// Ready is closed after the first attempt to open the port, whether or not it is
// there: a bus without its port answers too.
func (b *Bus) Ready() <-chan struct{} { return b.ready }

// Stats returns a snapshot.
func (b *Bus) Stats() Stats { return b.stats.snapshot() }

// Do waits for its turn and performs one exchange. A command to a unit in doubt
// waits until that is over, and others go first meanwhile; a poll returns InDoubt
// at once. Other errors are those of modbus.Client; Medium at once while the port is down; Busy when too many
// requests wait already; and the cause of ctx. Cancelling ctx abandons the wait:
// a request that has not gone out is not sent any more, one that has is finished
// without its caller, since a reply that nobody reads would spoil the next
// exchange.
func (b *Bus) Do(ctx context.Context, p Priority, req modbus.Request, t modbus.Timing) (Response, error) {
	j := newJob(ctx, p, req, t)
	if err := b.queue.add(j); err != nil {
		return Response{}, err
	}
	select {
	case o := <-j.done:
		return o.response, o.err
	case <-ctx.Done():
		b.queue.abandon(j)
		return Response{}, context.Cause(ctx)
	}
}

// Run serves requests until ctx is cancelled, and finishes the exchange it is in.
// A port that is missing or fails is opened again, for ever.
func (b *Bus) Run(ctx context.Context) error {
	defer b.queue.close(errStopped)
	retry := backoff.Policy{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for failures := 0; ctx.Err() == nil; failures++ {
		worked, err := b.session(ctx)
		if worked {
			failures = 0
		}
		if ctx.Err() == nil {
			b.down(err)
			b.refuse(ctx, retry.Delay(failures), err)
		}
	}
	return nil
}

// session opens the port and serves until it fails or ctx is cancelled. worked
// tells that the port was good for at least one exchange.
func (b *Bus) session(ctx context.Context) (worked bool, err error) {
	port, err := b.cfg.Open()
	if err == nil {
		b.up()
		defer port.Close()
	}
	select {
	case <-b.ready:
	default:
		close(b.ready)
	}
	if err != nil {
		return false, err
	}
	client := modbus.NewClient(port)
	for {
		j := b.next(ctx, port)
		if j == nil {
			return worked, nil
		}
		if err := b.serve(client, port, j); modbus.FaultOf(err) == modbus.Medium {
			return worked, causeOf(err)
		}
		worked = true
	}
}

// next waits for a request that may go out; nil means that ctx was cancelled.
func (b *Bus) next(ctx context.Context, port Transport) *job {
	for ctx.Err() == nil {
		j, at := b.queue.take(port.NotBefore)
		if j != nil {
			return j
		}
		b.wait(ctx, at)
	}
	return nil
}

// wait returns when something changed in the queue, at the given time unless it
// is zero, or when ctx is cancelled.
func (b *Bus) wait(ctx context.Context, at time.Time) {
	var due <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-b.queue.changed:
	case <-due:
	case <-ctx.Done():
	}
}

// serve performs the exchange of j and answers it, unless it has to wait for its
// unit after all.
func (b *Bus) serve(client *modbus.Client, port Transport, j *job) error {
	start := time.Now()
	data, err := client.Do(j.request, j.timing)
	end := time.Now()
	if errors.Is(err, modbus.ErrInDoubt) && port.NotBefore(j.request.Unit).After(end) {
		b.stats.spent(end.Sub(start))
		b.queue.putBack(j) // a poll is turned away from there
		return nil
	}
	b.stats.exchanged(end.Sub(start), err)
	r := Response{Data: data, At: end}
	if t, ok := port.(timed); ok && err == nil {
		r.Latency = t.Latency()
	}
	j.done <- outcome{r, err}
	return err
}

// refuse answers everybody with err for d.
func (b *Bus) refuse(ctx context.Context, d time.Duration, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		b.queue.fail(err)
		select {
		case <-b.queue.changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (b *Bus) up() {
	b.stats.opened()
	b.log.Info("port open", "line", b.cfg.Line.String())
}

// down logs a failure once, and again only when the reason is another.
func (b *Bus) down(err error) {
	switch b.stats.failed(err) {
	case lost:
		b.log.Warn("port down", "err", err)
	case changed:
		b.log.Warn("port still down", "err", err)
	}
}

// causeOf is what broke the port, without the unit that happened to be asked.
func causeOf(err error) error {
	if e, ok := errors.AsType[*modbus.Error](err); ok && e.Err != nil {
		return e.Err
	}
	return err
}
