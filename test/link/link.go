// Package link is one slow, long link that fails: rate, round trip, a bounded
// buffer in front of it, and outages of three kinds. Connections over it are made
// in memory, so that it runs in a synctest bubble, and a Proxy puts TCP clients
// on it. Simulations and benchmarks use it; it knows no protocol above TCP.
package link

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Config describes a link.
type Config struct {
	Rate   int           // bytes per second each way
	RTT    time.Duration // of an empty packet
	Buffer int           // bytes that wait in front of the link each way; 0 means 16 KiB
}

const (
	segment  = 1360 // bytes of a connection in one packet
	overhead = 40   // of TCP and IP, per packet
)

// Outage is how a link fails.
type Outage int

const (
	Reset    Outage = iota // both ends of every connection hear of it
	HalfOpen               // connections are dead, and nobody is told
	Fade                   // everything waits, and arrives when the link is back
)

// Link is one link. Its methods may be called from any goroutine.
type Link struct {
	cfg      Config
	up, down road
	accept   func(net.Conn)
	servers  sync.WaitGroup

	mu    sync.Mutex
	clear chan struct{} // closed while the link carries
	pairs map[*pair]bool
	since time.Time     // when the present outage began
	away  time.Duration // all outages before
	stats Stats
}

// Stats is what a link has seen.
type Stats struct {
	Conns, Cuts int
	Up          int // bytes of connections carried up
	Away        time.Duration
}

// New returns a link to the server that takes connections by accept, which is
// called in a goroutine of its own and closes what it is given.
func New(cfg Config, accept func(net.Conn)) *Link {
	if cfg.Buffer == 0 {
		cfg.Buffer = 16 << 10
	}
	l := &Link{cfg: cfg, accept: accept, clear: make(chan struct{}), pairs: map[*pair]bool{}}
	close(l.clear)
	l.up.rate, l.down.rate = cfg.Rate, cfg.Rate
	return l
}

// Stats returns a snapshot.
func (l *Link) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Away = l.away
	return s
}

// Close ends all connections and waits until the server has let go of them.
func (l *Link) Close() {
	l.mu.Lock()
	for p := range l.pairs {
		p.end(net.ErrClosed)
	}
	l.mu.Unlock()
	l.servers.Wait()
}

// Cut fails the link for so long and returns when it carries again.
func (l *Link) Cut(ctx context.Context, how Outage, d time.Duration) {
	l.Fail(how)
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	l.Restore()
}

// Fail fails the link until Restore.
func (l *Link) Fail(how Outage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear, l.since = make(chan struct{}), time.Now()
	l.stats.Cuts++
	if how == Fade {
		return
	}
	for p := range l.pairs {
		if how == Reset {
			p.end(syscall.ECONNRESET)
		} else {
			p.kill()
		}
	}
}

// Restore ends an outage.
func (l *Link) Restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away += time.Since(l.since)
	close(l.clear)
}

// Carries reports whether the link is up.
func (l *Link) Carries() bool {
	select {
	case <-l.passable():
		return true
	default:
		return false
	}
}

func (l *Link) passable() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clear
}

// Dial opens a connection as TCP does: a SYN that is lost is repeated after 1, 2
// and 4 s.
func (l *Link) Dial(ctx context.Context) (net.Conn, error) {
	for wait := time.Second; !l.Carries(); wait *= 2 {
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
	if err := sleep(ctx, l.cfg.RTT); err != nil {
		return nil, err
	}
	return l.connect(), nil
}

// connect makes a connection and hands its far end to the server.
func (l *Link) connect() net.Conn {
	p := &pair{link: l, ended: make(chan struct{})}
	up, down := newFlow(p, &l.up), newFlow(p, &l.down)
	l.mu.Lock()
	l.pairs[p] = true
	l.stats.Conns++
	l.mu.Unlock()
	l.servers.Go(func() { l.accept(&end{pair: p, in: up, out: down}) })
	return &end{pair: p, in: down, out: up}
}

func (l *Link) forget(p *pair) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Up += p.carried
	delete(l.pairs, p)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return errors.Join(syscall.ETIMEDOUT, context.Cause(ctx))
	}
}

// road is one direction, which all connections share.
type road struct {
	rate int
	mu   sync.Mutex
	free time.Time // when the last packet on it has left
}

// book returns when a packet of n bytes that comes now has left.
func (r *road) book(n int) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.free.Before(now) {
		r.free = now
	}
	r.free = r.free.Add(time.Duration(n+overhead) * time.Second / time.Duration(r.rate))
	return r.free
}
