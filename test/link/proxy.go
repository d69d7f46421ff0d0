package link

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Proxy puts TCP clients on a link.
type Proxy struct {
	link     *Link
	listener *net.TCPListener
	stopped  chan struct{}
	closing  sync.Once
	tasks    sync.WaitGroup

	mu   sync.Mutex
	plug net.Addr // of the connection that keeps others out, or kept them out last
}

// waiting is how many connections may wait to be accepted.
const waiting = 128

// Listen returns a proxy on a loopback port. While the link is down SYNs to it are
// lost, and sent again as on any network.
func (l *Link) Listen() (*Proxy, error) {
	config := net.ListenConfig{Control: smallBuffer}
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{link: l, listener: listener.(*net.TCPListener), stopped: make(chan struct{})}
	p.tasks.Go(p.serve)
	return p, nil
}

// smallBuffer keeps what the link did not take yet with the client, as on a real
// link.
func smallBuffer(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
	})
	if err != nil {
		return err
	}
	return failed
}

// Addr returns where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut fails the link for so long.
func (p *Proxy) Cut(ctx context.Context, how Outage, d time.Duration) error {
	p.link.Fail(how)
	defer p.link.Restore()
	plug, err := p.deafen()
	if err != nil {
		return err
	}
	if plug != nil {
		defer plug.Close()
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return errors.Join(p.backlog(waiting), p.listener.SetDeadline(time.Time{}))
}

// Close ends everything. It may be called again.
func (p *Proxy) Close() {
	p.closing.Do(func() { close(p.stopped) })
	p.listener.Close()
	p.link.Close()
	p.tasks.Wait()
}

// deafen makes the kernel drop SYNs. It does when as many connections as may wait
// to be accepted do, and another one: here that is the plug, unless somebody else
// was first.
func (p *Proxy) deafen() (plug net.Conn, err error) {
	if err := p.listener.SetDeadline(time.Unix(1, 0)); err != nil {
		return nil, err
	}
	if err := p.backlog(0); err != nil {
		return nil, err
	}
	plug, err = net.DialTimeout("tcp", p.Addr(), time.Second)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plug = plug.LocalAddr()
	return plug, nil
}

// backlog sets how many connections may wait, beside one.
func (p *Proxy) backlog(n int) error {
	raw, err := p.listener.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = syscall.Listen(int(fd), n) })
	return errors.Join(err, failed)
}

func (p *Proxy) isPlug(near net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plug != nil && near.RemoteAddr().String() == p.plug.String()
}

// serve accepts connections, none while the link is down.
func (p *Proxy) serve() {
	for {
		near, err := p.listener.AcceptTCP()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			select {
			case <-p.link.passable():
			case <-p.stopped:
				return
			}
		case err != nil:
			return
		case p.isPlug(near):
			near.Close()
		default:
			p.tasks.Go(func() { p.relay(near) })
		}
	}
}

// relay moves bytes both ways until either side ends. What TCP has accepted is on
// the link a round trip later, as a handshake takes.
func (p *Proxy) relay(near *net.TCPConn) {
	defer near.Close()
	time.Sleep(p.link.cfg.RTT)
	far := p.link.connect().(*end)
	defer far.Close()
	var up sync.WaitGroup
	up.Go(func() {
		io.CopyBuffer(struct{ io.Writer }{far}, struct{ io.Reader }{near}, make([]byte, segment))
		far.Close()
	})
	_, err := io.Copy(struct{ io.Writer }{near}, struct{ io.Reader }{far})
	if err != nil {
		near.SetLinger(0) // a reset, as it came
	}
	near.Close()
	up.Wait()
}
