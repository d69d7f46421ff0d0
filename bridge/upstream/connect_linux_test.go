package upstream

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

func TestConnectSetsUserTimeout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := tcp(0)(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms, buffer int
	raw.Control(func(fd uintptr) {
		ms, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		buffer, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF)
	})
	if ms != 60_000 {
		t.Errorf("TCP_USER_TIMEOUT is %d ms", ms)
	}
	if buffer != 2*sendBuffer { // the kernel doubles it for its own bookkeeping
		t.Errorf("SO_SNDBUF is %d", buffer)
	}
}
