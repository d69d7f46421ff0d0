package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"sluice/bridge/queue"
	"sluice/drivers/bus"
	"sluice/drivers/modbus"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
	"sluice/gateway/control"
	"sluice/gateway/status"
)

// reached is the gateway as the control socket reaches it.
type reached struct{ *Gateway }

// Reread reads the site file again and puts it to work. What comes of it is in the
// log and in the status, too.
func (g *Gateway) Reread(ctx context.Context) status.Reload {
	g.rereading.Lock()
	defer g.rereading.Unlock()
	done := g.opt.Service.Reloading()
	defer done()
	r := status.Reload{At: time.Now(), Changes: []string{}}
	cfg, err := config.Load(g.opt.SiteFile)
	if err == nil {
		r.Digest = cfg.Digest
		r.Changes, err = g.Reload(ctx, cfg)
	}
	r.Took, r.OK = time.Since(r.At), err == nil
	if err != nil {
		r.Error = err.Error()
		g.log.Error("the site file was not reloaded, the gateway goes on with what it has", "file", g.opt.SiteFile, "error", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.configured.Last = &r
	if r.OK {
		g.configured.Digest, g.configured.Loaded = r.Digest, r.At
		g.configured.Reloads++
	}
	return r
}

// Status implements control.Gateway.
func (g reached) Status() status.Snapshot { return g.surveyor.look() }

// Events implements control.Gateway.
func (g reached) Events(after uint64) []status.Event { return g.board.Events(after) }

// Exchange implements control.Gateway.
func (g reached) Exchange(ctx context.Context, id string, inTurn bool, req modbus.Request, t modbus.Timing) ([]byte, error) {
	l, err := g.line(id)
	if err != nil {
		return nil, err
	}
	priority := bus.Command
	if inTurn {
		priority = bus.Poll
	}
	r, err := l.bus.Do(ctx, priority, req, t)
	if d, ok := errors.AsType[*bus.InDoubt](err); ok { // which nobody but a poller can make sense of
		err = &modbus.Error{Fault: modbus.Silent, Unit: d.Unit, Err: err}
	}
	return r.Data, err
}

func (g *Gateway) line(id string) (*line, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.lines, func(l *line) bool { return l.cfg.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("bus %s: %w", id, control.ErrUnknown)
	}
	return g.lines[i], nil
}

// Trace implements control.Gateway.
func (g reached) Trace(ctx context.Context, id string, w io.Writer) error {
	l, err := g.line(id)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t, err := transcript.NewTrace(TraceConfig(l.cfg, ""), reader{w, stop}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	l.port.tracer.add(t)
	defer l.port.tracer.remove(t)
	return t.Run(ctx)
}

// reader is somebody who reads a trace: once he has gone it ends.
type reader struct {
	io.Writer
	gone context.CancelFunc
}

func (r reader) Write(b []byte) (int, error) {
	n, err := r.Writer.Write(b)
	if err != nil {
		r.gone()
	}
	return n, err
}

func (r reader) Close() error { return nil }

// Drop implements control.Gateway.
func (g reached) Drop(bridge, lane string, before uint64) (uint64, error) {
	q, err := g.queue(bridge)
	if err != nil {
		return 0, err
	}
	if lane == "dead" {
		n, err := q.DropDead(func(l queue.Letter) bool { return before == 0 || uint64(l.Number) < before })
		return uint64(n), err
	}
	if !slices.Contains(queue.Names(), queue.Name(lane)) {
		return 0, fmt.Errorf("lane %s of bridge %s: %w", lane, bridge, control.ErrUnknown)
	}
	l, upTo := q.Lane(queue.Name(lane)), queue.Seq(before)
	if before == 0 {
		upTo = l.End()
	}
	n, err := l.Drop(upTo)
	if err == nil && n > 0 {
		g.log.Warn("messages given up on request", "bridge", bridge, "lane", lane, "messages", n)
	}
	return n, err
}

// Resend implements control.Gateway.
func (g reached) Resend(ctx context.Context, bridge string, number uint64) (int, error) {
	q, err := g.queue(bridge)
	if err != nil {
		return 0, err
	}
	return q.Resend(ctx, func(l queue.Letter) bool { return number == 0 || uint64(l.Number) == number })
}

func (g *Gateway) queue(bridge string) (*queue.Queue, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.relays, func(r *relay) bool { return r.cfg.ID == bridge })
	if i < 0 {
		return nil, fmt.Errorf("bridge %s: %w", bridge, control.ErrUnknown)
	}
	return g.relays[i].queue, nil
}
