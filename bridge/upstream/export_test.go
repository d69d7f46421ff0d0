package upstream

import (
	"context"
	"net"
)

// Handshake lets tests run a session over a pipe.
func Handshake(ctx context.Context, conn net.Conn, cfg Config) (*Session, error) {
	return handshake(ctx, newWire(conn, conn, silence(cfg.KeepAlive)), cfg, nil)
}
