package upstream

import (
	"context"
	"net"
	"sync"
	"time"
)

// What the system does not count, in bytes on the wire.
const (
	lookup     = 200 // a name, asked for and answered
	failedDial = 180 // three SYNs
	goodbye    = 4   // packets after the last count: FIN and its acknowledgement, both ways
	counting   = time.Second
)

// metered returns connect with every byte told to spend: payload, TLS, and the
// headers of TCP and IP, of lost packets as often as they were sent.
func metered(connect func(context.Context, string) (net.Conn, error), spend func(int64)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && net.ParseIP(host) == nil {
			spend(lookup)
		}
		conn, err := connect(ctx, address)
		if err != nil {
			spend(failedDial)
			return nil, err
		}
		return &counted{Conn: conn, spend: spend}, nil
	}
}

// counted is a connection that tells what it costs, once a second at most while
// it is used.
type counted struct {
	net.Conn
	spend func(int64)

	mu     sync.Mutex
	plain  int64 // bytes read and written
	told   int64
	at     time.Time
	closed bool
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.count(n)
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.count(n)
	return n, err
}

func (c *counted) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.plain += int64(n)
	if now := time.Now(); !c.closed && now.Sub(c.at) >= counting {
		c.at = now
		c.tell(0)
	}
}

// tell reports what came since the last time, and further packets.
func (c *counted) tell(packets int64) {
	header := headerOf(c.RemoteAddr())
	total, ok := onWire(c.Conn, header)
	if !ok {
		total = c.plain + (c.plain/segment+1)*2*header // each segment is acknowledged
	}
	total += packets * header
	if total > c.told {
		c.spend(total - c.told)
		c.told = total
	}
}

// Close counts for the last time.
func (c *counted) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		c.tell(goodbye)
	}
	c.mu.Unlock()
	return c.Conn.Close()
}

// headerOf returns the bytes of IP and TCP in each packet, with timestamps
// (RFC 7323).
func headerOf(peer net.Addr) int64 {
	if a, ok := peer.(*net.TCPAddr); ok && a.IP.To4() == nil {
		return 40 + 32
	}
	return 20 + 32
}
