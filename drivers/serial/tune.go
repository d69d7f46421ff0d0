package serial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hasten makes a port hand over what it receives at once. notes say what is not
// allowed or not possible; the port works without, more slowly.
func hasten(fd int, root, path string) (notes []string) {
	flag := setLowLatency(fd)
	timer, err := setLatencyTimer(root, path)
	switch {
	case err != nil:
		notes = append(notes, fmt.Sprintf("low_latency: the adapter holds replies back for up to %d ms: %v; "+
			`a udev rule with ATTR{latency_timer}="1" can change it`, timer, err))
	case timer == 0 && flag != nil: // with a timer at 1 ms the flag is of no account
		notes = append(notes, fmt.Sprintf("low_latency: %v", flag))
	}
	return notes
}

var errNoLowLatency = errors.New("its driver has no such mode")

// setLowLatency asks the driver to pass on every character at once, which sets
// the timer of an FTDI adapter to 1 ms too. Drivers without the mode answer
// ENOTTY or ignore it.
func setLowLatency(fd int) error {
	var p kernelPort
	switch err := ioctl(fd, unix.TIOCGSERIAL, unsafe.Pointer(&p)); {
	case err == unix.ENOTTY, err == unix.EINVAL:
		return errNoLowLatency
	case err != nil:
		return err
	case p.flags&lowLatency != 0:
		return nil
	}
	p.flags |= lowLatency
	if err := ioctl(fd, unix.TIOCSSERIAL, unsafe.Pointer(&p)); err != nil {
		return err
	}
	if ioctl(fd, unix.TIOCGSERIAL, unsafe.Pointer(&p)) != nil || p.flags&lowLatency == 0 {
		return errNoLowLatency
	}
	return nil
}

// setLatencyTimer sets the time that an FTDI adapter collects characters to 1 ms,
// unless that is done. It returns the time in ms, 0 for a port without such a
// timer. Only root may write it, or whom a udev rule lets.
func setLatencyTimer(root, path string) (ms int, err error) {
	tty, err := filepath.EvalSymlinks(path)
	if err != nil {
		return 0, nil
	}
	file := filepath.Join(root, "sys/class/tty", filepath.Base(tty), "device/latency_timer")
	ms, err = strconv.Atoi(attribute(filepath.Dir(file), filepath.Base(file)))
	if err != nil || ms <= 1 {
		return ms, nil
	}
	if err := os.WriteFile(file, []byte("1"), 0); err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return ms, err
	}
	return 1, nil
}
