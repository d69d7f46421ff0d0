//go:build !linux

package upstream

import (
	"net"
	"syscall"
	"time"
)

// control has nothing to set: only Linux knows TCP_USER_TIMEOUT, elsewhere the
// bridge's watchdog finds a half-open connection.
func control(time.Duration) func(string, string, syscall.RawConn) error { return nil }

func prompt(net.Conn) {}
