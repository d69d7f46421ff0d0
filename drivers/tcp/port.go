package tcp

import (
	"errors"
	"net"
	"os"
	"time"
)

// Jitter is how long a network may hold back what belongs together: TCP sends a
// lost segment again after 200 ms or more.
const Jitter = 500 * time.Millisecond

// minWait is how long a Read looks for what is there already: a deadline that has
// passed returns nothing, whatever has arrived.
const minWait = time.Millisecond

// Port makes the connection to a converter a serial port: what is written goes to
// its line, and comes from there. Read and SetReadTimeout belong to one goroutine.
type Port struct {
	conn    net.Conn
	timeout time.Duration
}

// NewPort returns a port on c, which it owns from then on.
func NewPort(c net.Conn) *Port { return &Port{conn: c} }

// SetReadTimeout sets how long a Read waits for its first byte.
func (p *Port) SetReadTimeout(d time.Duration) error {
	p.timeout = d
	return nil
}

// Read waits until at least one byte has been received and returns what is there.
// It returns (0, nil) when the read timeout passes. An error means that the
// connection is gone.
func (p *Port) Read(b []byte) (int, error) {
	p.conn.SetReadDeadline(time.Now().Add(max(p.timeout, minWait)))
	n, err := p.conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, nil
	}
	return n, explain(err)
}

// Write hands b to the network.
func (p *Port) Write(b []byte) (int, error) {
	p.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := p.conn.Write(b)
	return n, explain(err)
}

// Close closes the connection.
func (p *Port) Close() error { return p.conn.Close() }
