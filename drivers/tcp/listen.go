package tcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sluice/gateway/backoff"
)

// ListenConfig says where a converter dials in, and who may.
type ListenConfig struct {
	Bus     string // whose line it brings, for logs
	Address string // host:port
	Allow   []netip.Prefix
}

var errNobody = errors.New("no converter has dialled in")

// Listener waits for a converter that dials in, and keeps one connection at a
// time: whoever comes second is refused until the first is closed.
type Listener struct {
	cfg   ListenConfig
	log   *slog.Logger
	ready chan struct{}

	mu      sync.Mutex
	addr    net.Addr   // nil while it does not listen
	err     error      // why not
	held    net.Conn   // dialled in; nil for nobody
	taken   bool       // by the bus
	refused netip.Addr // the last one, to say so once
}

// NewListener returns a listener that does nothing before Run.
func NewListener(cfg ListenConfig, log *slog.Logger) *Listener {
	return &Listener{cfg: cfg, log: log.With("bus", cfg.Bus), ready: make(chan struct{}), err: errNobody}
}

// String is "listener " and the bus.
func (l *Listener) String() string { return "listener " + l.cfg.Bus }

// Ready is closed after the first attempt to listen.
func (l *Listener) Ready() <-chan struct{} { return l.ready }

// Addr is the address it listens on, nil while it does not.
func (l *Listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addr
}

// Take returns the connection of the converter that has dialled in; it is the
// caller's, who closes it to let another in. The error says why there is none.
func (l *Listener) Take() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil || l.taken {
		return nil, fmt.Errorf("%s: %w", l.cfg.Address, l.err)
	}
	l.taken = true
	return &guest{Conn: l.held, leave: sync.OnceFunc(l.free)}, nil
}

// guest is a connection that makes room when it is closed.
type guest struct {
	net.Conn
	leave func()
}

func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}

func (l *Listener) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.taken = nil, false
}

// Run listens until ctx is cancelled. An address that cannot be served is tried
// again, for ever: it may belong to an interface that is not up yet.
func (l *Listener) Run(ctx context.Context) error {
	retry := backoff.Policy{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for failures := 0; ctx.Err() == nil; failures++ {
		var lc net.ListenConfig
		in, err := lc.Listen(ctx, "tcp", l.cfg.Address)
		l.listening(in, err)
		if err == nil {
			err = l.accept(ctx, in)
			failures = 0
		}
		if ctx.Err() == nil {
			l.failed(err)
			retry.Wait(ctx, failures) // its error is that of ctx
		}
	}
	return nil
}

// listening notes the outcome of an attempt to listen.
func (l *Listener) listening(in net.Listener, err error) {
	l.mu.Lock()
	if err == nil {
		l.addr, l.err = in.Addr(), errNobody
		l.log.Info("waiting for a converter to dial in", "address", l.addr.String())
	}
	l.mu.Unlock()
	select {
	case <-l.ready:
	default:
		close(l.ready)
	}
}

// failed logs a failure once, and again only when the reason is another.
func (l *Listener) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err.Error() != err.Error() {
		l.log.Warn("cannot listen for a converter", "error", err)
	}
	l.addr, l.err = nil, err
}

// accept lets converters in until in fails or ctx is cancelled.
func (l *Listener) accept(ctx context.Context, in net.Listener) error {
	stop := context.AfterFunc(ctx, func() { in.Close() })
	defer stop()
	defer l.turnOut()
	for {
		conn, err := in.Accept()
		if err != nil {
			in.Close()
			return err
		}
		if !l.admit(conn) {
			conn.Close()
		}
	}
}

// turnOut closes a connection that nobody has taken.
func (l *Listener) turnOut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil && !l.taken {
		l.held.Close()
		l.held = nil
	}
}

// admit keeps a connection if its peer may come in and nobody else has.
func (l *Listener) admit(conn net.Conn) bool {
	peer := addrOf(conn.RemoteAddr())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !slices.ContainsFunc(l.cfg.Allow, func(p netip.Prefix) bool { return p.Contains(peer) }):
		l.refuse(peer, "it is not in allow")
		return false
	case l.held != nil:
		l.refuse(peer, "the line belongs to "+l.held.RemoteAddr().String())
		return false
	}
	l.held, l.refused = tuned(conn), netip.Addr{}
	l.log.Info("converter dialled in", "peer", conn.RemoteAddr().String())
	return true
}

// refuse says who was refused, once for each that comes again and again.
func (l *Listener) refuse(peer netip.Addr, why string) {
	if l.refused != peer {
		l.log.Warn("connection refused", "peer", peer.String(), "reason", why)
	}
	l.refused = peer
}

func addrOf(a net.Addr) netip.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
