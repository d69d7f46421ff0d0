package upstream

import (
	"cmp"
	"context"
	"net"
	"time"
)

const (
	defaultUserTimeout = 60 * time.Second

	// sendBuffer is what the kernel may hold of what the link did not take yet.
	// A small one keeps the rest here, where a lost connection does not turn it
	// into duplicates and nothing urgent waits behind it.
	sendBuffer = 16 << 10
)

// tcp returns how a TCP connection to host:port is opened.
func tcp(userTimeout time.Duration) func(context.Context, string) (net.Conn, error) {
	d := &net.Dialer{
		KeepAlive: -1, // MQTT has its own; TCP's every 15 s costs a metered link 18 MB a month
		Control:   control(cmp.Or(userTimeout, defaultUserTimeout)),
	}
	return func(ctx context.Context, address string) (net.Conn, error) { return connect(ctx, d, address) }
}

func connect(ctx context.Context, d *net.Dialer, address string) (net.Conn, error) {
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if err := conn.(*net.TCPConn).SetWriteBuffer(sendBuffer); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
