package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// acceptPause is the wait after a failed accept: most often file descriptors
// have run out, which takes time to get better.
const acceptPause = time.Second

// listener accepts connections for mochi, bounded and with our own peer around
// each of them.
type listener struct {
	Listener
	broker *Broker
	id     string
	socket net.Listener
	served chan struct{} // closed when Serve has returned
}

// bind opens all addresses, or none.
func (b *Broker) bind(ctx context.Context) error {
	for i, l := range b.listen {
		socket, err := l.bind(ctx)
		if err != nil {
			for _, l := range b.listeners {
				_ = l.socket.Close()
			}
			return listenError(l.Address, err)
		}
		b.listeners = append(b.listeners, &listener{
			Listener: l, broker: b, id: strconv.Itoa(i), socket: socket, served: make(chan struct{}),
		})
	}
	return nil
}

func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use: another broker (mosquitto?) or another gateway runs on this machine; stop it or choose another port: %w", address, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s needs privileges that this process does not have; choose a port above 1023: %w", address, err)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// The methods that mochi wants of a listener. It is open already, and what
// mochi's Close would do is done by stop.

func (l *listener) Init(*slog.Logger) error   { return nil }
func (l *listener) ID() string                { return l.id }
func (l *listener) Address() string           { return l.socket.Addr().String() }
func (l *listener) Protocol() string          { return l.protocol() }
func (l *listener) Close(_ listeners.CloseFn) {}

// Serve accepts connections until stop.
func (l *listener) Serve(establish listeners.EstablishFn) {
	defer close(l.served)
	failing := false
	for {
		nc, err := l.socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil && !failing {
			l.broker.log.Warn("cannot accept connections", "address", l.Address(), "err", err)
		}
		failing = err != nil
		if failing {
			l.broker.pause(acceptPause)
			continue
		}
		l.broker.accept(l, nc, establish)
	}
}

// stop ends Serve and waits for it.
func (l *listener) stop() {
	_ = l.socket.Close()
	<-l.served
}

// accept serves a connection in its own goroutine, if there is room: as many
// again as the clients allowed, for those that have yet to send CONNECT, and half
// of that for one address.
func (b *Broker) accept(l *listener, nc net.Conn, establish listeners.EstablishFn) {
	from := addrOf(nc)
	leave, refusal := b.door.enter(from)
	if refusal == 0 && b.open.Add(1) > int64(2*b.limits.Clients) {
		b.open.Add(-1)
		leave()
		refusal = RefusedConnections
	}
	if refusal != 0 {
		_ = nc.Close()
		b.turnAway(refusal, from.String())
		return
	}
	b.peers.Go(func() {
		defer b.open.Add(-1)
		defer leave()
		prepared, user, err := l.prepare(b.acks, nc, b.limits.ConnectTimeout)
		if err != nil {
			_ = nc.Close()
			b.turnAway(RefusedHandshake, from.String(), "err", err)
			return
		}
		p := newPeer(b, prepared)
		p.listener, p.certified, p.from, p.left = l, user, from, leave
		p.serve(func(c net.Conn) error { return establish(l.id, c) })
	})
}

// pause waits for d or for the broker to stop.
func (b *Broker) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.stopping:
	}
}
