package broker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	lingerTime = 200 * time.Millisecond // for last packets to leave, and again to arrive
	chunkBytes = 16 << 10               // written to the socket at a time
	smallBytes = 1 << 10                // of that kept by a client that is up to date
	idleBytes  = 64 << 10               // of buffer kept by a client that is up to date
	roomBytes  = 64 << 10               // pending, from where on messages stay in the session
)

var (
	errPending = errors.New("the client reads too slowly, too much is pending")
	errStalled = errors.New("the client has stopped reading")
)

// conn is a connection whose Write never blocks: mochi writes while it holds
// locks that publishers need, so that one stalled subscriber would stop them
// all. Close lets what is pending leave first.
type conn struct {
	net.Conn
	limit int           // bytes pending
	stall time.Duration // until a write that makes no progress fails

	silence time.Duration // that ends the connection, once the keepalive is known

	mu     sync.Mutex
	moved  sync.Cond // something was written, or it was closed
	out    bytes.Buffer
	closed bool
	last   bool  // what was pending then is leaving
	cause  error // why we closed it; nil when mochi or the client did
	done   chan struct{}
}

func newConn(nc net.Conn, limits Limits) *conn {
	c := &conn{Conn: nc, limit: limits.PendingBytes, stall: limits.StallTimeout, done: make(chan struct{})}
	c.moved.L = &c.mu
	_ = nc.SetReadDeadline(time.Now().Add(limits.ConnectTimeout))
	return c
}

// Write takes b for flush to write. It fails, and closes the connection, when
// too much is pending.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, net.ErrClosed
	}
	if c.out.Len()+len(b) > c.limit {
		c.shut(errPending)
		return 0, errPending
	}
	c.moved.Broadcast()
	return c.out.Write(b)
}

// Room reports whether messages should be written.
func (c *conn) Room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Len() < roomBytes
}

// SetDeadline is how mochi applies the keepalive, of which it computes one and a
// half times wrongly: without halves of a second, and above 43,690 s in 16 bits.
// A deadline counts as the wish for one.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if !t.IsZero() {
		t = time.Now().Add(c.silence)
	}
	return c.Conn.SetReadDeadline(t)
}

// keepAlive bounds the silence of a client: keepalive x 1.5 [MQTT-3.1.2-22].
func (c *conn) keepAlive(seconds uint16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silence = time.Duration(seconds) * 3 * time.Second / 2
}

// Close ends reading at once and writing when all that is pending has left, or
// after lingerTime. The socket is closed by linger.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut(nil)
	return nil
}

func (c *conn) shut(cause error) {
	if c.closed {
		return
	}
	c.closed = true
	c.cause = cause
	if cause != nil {
		c.out = bytes.Buffer{} // which can't leave any more
	}
	close(c.done)
	c.moved.Broadcast()
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
}

// isDone reports whether the connection is closed.
func (c *conn) isDone() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// flush writes to the socket until the connection is closed, and calls drained
// whenever it has made room.
func (c *conn) flush(drained func()) {
	var chunk []byte
	for {
		if chunk = c.take(chunk); len(chunk) == 0 {
			return
		}
		if _, err := c.Conn.Write(chunk); err != nil {
			c.mu.Lock()
			c.shut(writeError(err))
			c.mu.Unlock()
			return
		}
		if c.Room() {
			drained()
		}
	}
}

// take moves pending bytes to chunk, or another if there are more, waiting for
// some; none means that there will be no more.
func (c *conn) take(chunk []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.Len() == 0 && c.out.Cap() > idleBytes {
		c.out = bytes.Buffer{}
	}
	if c.out.Len() == 0 && cap(chunk) > smallBytes {
		chunk = nil
	}
	for c.out.Len() == 0 && !c.closed {
		c.moved.Wait()
	}
	switch size := c.out.Len(); {
	case size > smallBytes && cap(chunk) < chunkBytes:
		chunk = make([]byte, chunkBytes)
	case chunk == nil:
		chunk = make([]byte, smallBytes)
	}
	n, _ := c.out.Read(chunk[:cap(chunk)])
	switch {
	case !c.closed:
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.stall))
	case !c.last: // a busy machine may come to the last packets late, which is no fault of the client
		c.last = true
		_ = c.Conn.SetWriteDeadline(time.Now().Add(lingerTime))
	}
	return chunk[:n]
}

func writeError(err error) error {
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return errStalled
	}
	return err
}

// linger closes the socket once the client has seen the last packets: data that
// arrives after a close would reset the connection and could wipe them out.
func (c *conn) linger() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.Conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, c.Conn)
	}
	_ = c.Conn.Close()
}
