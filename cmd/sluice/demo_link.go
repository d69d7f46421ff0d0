package main

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// How the demo's link behaves: after the first cut it comes and goes.
const (
	firstCut = 4 * time.Second
	cutEvery = 12 * time.Second
	cutLasts = 3 * time.Second
)

// link is the way to the cloud: a relay that can be cut, as a modem loses its
// cell.
type link struct {
	listener net.Listener
	target   string
	cut      atomic.Bool

	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func newLink(target string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &link{listener: l, target: target, conns: map[net.Conn]bool{}}, nil
}

func (l *link) address() string { return l.listener.Addr().String() }

// run relays until ctx is cancelled, and cuts the link as scheduled as long as
// more than quiet remains until the deadline, if there is one.
func (l *link) run(ctx context.Context, deadline time.Time, quiet time.Duration) {
	var relays sync.WaitGroup
	relays.Go(func() { l.schedule(ctx, deadline, quiet) })
	stop := context.AfterFunc(ctx, func() {
		l.listener.Close()
		l.drop()
	})
	defer stop()
	for {
		near, err := l.listener.Accept()
		if err != nil {
			break
		}
		if l.cut.Load() {
			near.Close()
			continue
		}
		relays.Go(func() { l.relay(near) })
	}
	relays.Wait()
}

func (l *link) schedule(ctx context.Context, deadline time.Time, quiet time.Duration) {
	wait := firstCut
	for {
		if sleep(ctx, wait) != nil {
			return
		}
		if !deadline.IsZero() && time.Until(deadline) < cutLasts+quiet {
			return
		}
		l.setCut(true)
		if sleep(ctx, cutLasts) != nil {
			return
		}
		l.setCut(false)
		wait = cutEvery - cutLasts
	}
}

func (l *link) setCut(cut bool) {
	l.cut.Store(cut)
	if cut {
		l.drop()
	}
}

// drop ends all connections.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
}

// relay moves bytes both ways until either side ends.
func (l *link) relay(near net.Conn) {
	defer l.forget(near)
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer l.forget(far)
	l.remember(near)
	l.remember(far)
	var up sync.WaitGroup
	up.Go(func() {
		io.Copy(far, near)
		far.Close()
	})
	io.Copy(near, far)
	near.Close()
	up.Wait()
}

func (l *link) remember(c net.Conn) {
	l.mu.Lock()
	l.conns[c] = true
	l.mu.Unlock()
}

func (l *link) forget(c net.Conn) {
	c.Close()
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// sleep waits for d; the error says that ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
