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
	"sluice/gateway/progress"
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
	Peer string                                   // who is at the other end of a connection, for logs; "" for a serial port
	Open func(context.Context) (Transport, error) // called again whenever the port has failed
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
	back  chan struct{}
	stats ledger
	turns progress.Turns
}

// New returns a bus that does nothing before Run.
func New(cfg Config, log *slog.Logger) *Bus {
	return &Bus{
		cfg:   cfg,
		log:   log.With("bus", cfg.ID),
		queue: newQueue(),
		back:  make(chan struct{}, 1),
	}
}

// String is "bus " and the ID.
func (b *Bus) String() string { return "bus " + b.cfg.ID }

// Back tells when the port is open after requests were refused for want of it. It
// is for one reader and holds one notice.
func (b *Bus) Back() <-chan struct{} { return b.back }

// Stats returns a snapshot.
func (b *Bus) Stats() Stats { return b.stats.snapshot() }

// Turns lets a watchdog see that the bus makes progress.
func (b *Bus) Turns() uint64 { return b.turns.Count() }

// Do waits for its turn and performs one exchange; while the port is being opened
// everybody waits. A command to a unit in doubt
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

// DoWhole is Do at command priority for whoever must know what became of the
// request: cancelling ctx keeps it from going out, with modbus.ErrNotSent in the
// chain of the error, and has no effect once it is on the wire. The error of a
// request that found the port down has it, too.
func (b *Bus) DoWhole(ctx context.Context, req modbus.Request, t modbus.Timing) (Response, error) {
	j := newJob(ctx, Command, req, t)
	if err := b.queue.add(j); err != nil {
		return Response{}, modbus.NotSent(err)
	}
	select {
	case o := <-j.done:
		return o.response, o.err
	case <-ctx.Done():
	}
	if b.queue.abandon(j) {
		return Response{}, modbus.NotSent(context.Cause(ctx))
	}
	o := <-j.done
	return o.response, o.err
}

// How long to wait before the port is opened again. A port that is not there costs
// one failing call to look for, and whoever replugs it waits; one that opens and
// then fails is left more and more alone.
var (
	whileMissing = backoff.Policy{Min: 100 * time.Millisecond, Max: 250 * time.Millisecond}
	whileFailing = backoff.Policy{Min: 100 * time.Millisecond, Max: 5 * time.Second}
)

// Run serves requests until ctx is cancelled, and finishes the exchange it is in.
// A port that is missing or fails is opened again, for ever.
func (b *Bus) Run(ctx context.Context) error {
	defer b.queue.close(errStopped)
	last, failures := missing, 0
	for ctx.Err() == nil {
		end, err := b.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if end == worked || end != last {
			failures = 0
		}
		retry := whileFailing
		if end == missing {
			retry = whileMissing
		}
		b.down(err)
		b.refuse(ctx, retry.Delay(failures), err)
		last, failures = end, failures+1
	}
	return nil
}

// extent is how far a session came.
type extent uint8

const (
	missing extent = iota // the port could not be opened
	opened
	worked // it was good for at least one exchange
)

// session opens the port and serves until it fails or ctx is cancelled.
func (b *Bus) session(ctx context.Context) (extent, error) {
	b.turns.Begin()
	port, err := b.cfg.Open(ctx)
	b.turns.End()
	if err == nil {
		b.up()
		defer b.close(port)
	}
	if err != nil {
		return missing, err
	}
	so := opened
	client := modbus.NewClient(port)
	for {
		j := b.next(ctx, port)
		if j == nil {
			return so, nil
		}
		if err := b.serve(client, port, j); modbus.FaultOf(err) == modbus.Medium {
			return so, causeOf(err)
		}
		so = worked
	}
}

// close closes the port, which a driver can take its time for.
func (b *Bus) close(port Transport) {
	b.turns.Begin()
	defer b.turns.End()
	port.Close()
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
	b.turns.Begin()
	defer b.turns.End()
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
	again := b.stats.opened()
	if b.cfg.Peer != "" {
		b.log.Info("connected", "peer", b.cfg.Peer)
	} else {
		b.log.Info("port open", "line", b.cfg.Line.String())
	}
	if !again {
		return
	}
	select {
	case b.back <- struct{}{}:
	default:
	}
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
