package serial

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// claim opens the sidecar, a second descriptor of the port, and locks it. The
// library's TIOCEXCL keeps other users' programs out, but not root's; the lock
// stops every program that asks for it, two gateways above all. The sidecar has
// to come first: after TIOCEXCL not even its owner can open the port again.
func claim(path string) (fd int, err error) {
	fd, err = unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return fd, nil
	}
	unix.Close(fd)
	if err == unix.EWOULDBLOCK {
		err = unix.EBUSY // what TIOCEXCL answers
	}
	return -1, err
}

// isPseudoTerminal reports whether fd is the near end of a pseudo-terminal. Linux
// gives those the majors 136 to 143 (its Documentation/admin-guide/devices.txt).
func isPseudoTerminal(fd int) bool {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	major := unix.Major(uint64(st.Rdev))
	return major >= 136 && major <= 143
}

// closeOnExec keeps children from inheriting the library's descriptor, found as
// any other of the device that side is open on.
func closeOnExec(side int) error {
	var port unix.Stat_t
	if err := unix.Fstat(side, &port); err != nil {
		return err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil // no proc here; children are started by nobody today
	}
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == port.Rdev {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
