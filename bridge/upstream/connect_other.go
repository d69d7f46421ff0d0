//go:build !linux

package upstream

import "syscall"

// control has nothing to set: only Linux knows TCP_USER_TIMEOUT, elsewhere the
// bridge's watchdog finds a half-open connection.
func control(_, _ string, _ syscall.RawConn) error { return nil }
