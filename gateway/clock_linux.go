package gateway

import "golang.org/x/sys/unix"

// synced reports whether the kernel takes the time of day for right, as it does
// once something such as NTP keeps it (adjtimex(2), STA_UNSYNC).
func synced() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
