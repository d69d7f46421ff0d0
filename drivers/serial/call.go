package serial

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of an exchange. None of them waits, so the runtime is not told: each
// time it hears of a call on an idle processor it wakes a thread to watch over
// it, which costs as much as the rest of the exchange.

// readNow reads what there is from a descriptor that does not block.
func readNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return result(n, errno)
}

// writeNow writes what there is room for to a descriptor that does not block.
func writeNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return result(n, errno)
}

// settingsNow reads the settings of a terminal.
func settingsNow(fd int, mode *unix.Termios) error {
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.TCGETS, uintptr(unsafe.Pointer(mode)))
	_, err := result(0, errno)
	return err
}

// setTimer has a timerfd expire once after d, which is more than 0.
func setTimer(fd int, d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	_, _, errno := unix.RawSyscall6(unix.SYS_TIMERFD_SETTIME, uintptr(fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	_, err := result(0, errno)
	return err
}

// setEvents changes what an epoll watches a descriptor for.
func setEvents(epoll, fd int, events uint32) error {
	e := unix.EpollEvent{Events: events}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), unix.EPOLL_CTL_MOD, uintptr(fd), uintptr(unsafe.Pointer(&e)), 0, 0)
	_, err := result(0, errno)
	return err
}

func result(n uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
