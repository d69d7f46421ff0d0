package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// networkChanges yields when the kernel reports a link that carries, an address or
// a route (rtnetlink(7)). done waits for the end of listening, which begins with
// that of ctx.
func networkChanges(ctx context.Context) (changes <-chan struct{}, done func(), err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, fmt.Errorf("netlink socket: %w", err)
	}
	const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, nil, fmt.Errorf("netlink bind: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	c, ended := make(chan struct{}, 1), make(chan struct{})
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	go func() {
		defer close(ended)
		listen(socket, c)
	}()
	return c, func() {
		stop()
		socket.Close()
		<-ended
	}, nil
}

// listen reads until the socket is closed. A read that fails otherwise means that
// messages were lost, so something has changed.
func listen(socket *os.File, changes chan<- struct{}) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := socket.Read(buffer)
		if err != nil && !errors.Is(err, unix.ENOBUFS) {
			return
		}
		if err == nil && !comesUp(buffer[:n]) {
			continue
		}
		select {
		case changes <- struct{}{}:
		default:
		}
	}
}

// comesUp reports whether a datagram of netlink messages tells of something that
// may be a way out.
func comesUp(b []byte) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		size, kind := binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[4:])
		if size < unix.SizeofNlMsghdr || int64(size) > int64(len(b)) {
			return false
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch kind {
		case unix.RTM_NEWADDR, unix.RTM_NEWROUTE:
			return true
		case unix.RTM_NEWLINK:
			if len(body) >= unix.SizeofIfInfomsg && binary.NativeEndian.Uint32(body[8:])&unix.IFF_RUNNING != 0 {
				return true
			}
		}
		b = b[min(int(size+3)&^3, len(b)):]
	}
	return false
}
