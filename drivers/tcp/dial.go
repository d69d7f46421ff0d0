package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// What a connection is given, so that a peer that vanished without a word is
// noticed while nothing is asked of it too.
const (
	dialTimeout  = 4 * time.Second
	writeTimeout = 4 * time.Second
	// userTimeout is how long what was sent may stay unacknowledged.
	userTimeout = 10 * time.Second
)

var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// Dial connects to a device or a converter at host:port.
func Dial(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return tuned(conn), nil
}

// tuned sets the options of a connection. One that refuses them is slower to
// notice a loss, and no worse.
func tuned(conn net.Conn) net.Conn {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	c.SetKeepAliveConfig(keepAlive)
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
		})
	}
	return conn
}

var errClosed = errors.New("the other side closed the connection")

// explain words what the network says in one word.
func explain(err error) error {
	if errors.Is(err, io.EOF) {
		return errClosed
	}
	return err
}
