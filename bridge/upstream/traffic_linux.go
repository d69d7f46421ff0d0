package upstream

import (
	"net"

	"golang.org/x/sys/unix"
)

// onWire returns what the kernel counted of a connection (TCP_INFO, tcp(7)): bytes
// in both directions, those sent again included, and a header for each packet.
func onWire(conn net.Conn, header int64) (int64, bool) {
	c, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil || failed != nil || info.Segs_out == 0 { // before Linux 4.2
		return 0, false
	}
	return int64(info.Bytes_sent+info.Bytes_received) + int64(info.Segs_out+info.Segs_in)*header, true
}
