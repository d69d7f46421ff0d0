package link

import (
	"context"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Proxy puts TCP clients on a link.
type Proxy struct {
	link    *Link
	address string
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil during an outage
}

// Listen returns a proxy on a loopback port. While the link is down the port
// refuses connections: nobody waits for a SYN that is lost.
func (l *Link) Listen() (*Proxy, error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &Proxy{link: l, address: "127.0.0.1:0", stop: stop}
	if err := p.open(); err != nil {
		stop()
		return nil, err
	}
	p.tasks.Go(func() { <-ctx.Done(); p.close() })
	return p, nil
}

// Addr returns where clients connect.
func (p *Proxy) Addr() string { return p.address }

// Cut fails the link for so long.
func (p *Proxy) Cut(ctx context.Context, how Outage, d time.Duration) error {
	p.close()
	p.link.Cut(ctx, how, d)
	return p.open()
}

// Close ends everything.
func (p *Proxy) Close() {
	p.stop()
	p.close()
	p.link.Close()
	p.tasks.Wait()
}

func (p *Proxy) open() error {
	config := net.ListenConfig{Control: smallBuffer}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", p.address)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.listener, p.address = l, l.Addr().String()
	p.mu.Unlock()
	p.tasks.Go(func() { p.serve(l) })
	return nil
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

func (p *Proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

func (p *Proxy) serve(l net.Listener) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		p.tasks.Go(func() { p.relay(near.(*net.TCPConn)) })
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
