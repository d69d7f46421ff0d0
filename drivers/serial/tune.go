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

// holdback is an attribute of a port, of which 1 is the least, that has its driver
// wait for more characters before it hands over those it has.
type holdback struct {
	file  string // below /sys/class/tty/NAME
	means string // of its number
}

var (
	// The timer of FTDI adapters; ms.
	latencyTimer = holdback{"device/latency_timer", "the adapter holds replies back for up to %d ms"}
	// The FIFO of an 8250 and its successors. The last characters of a reply, when
	// they do not fill it so far, come after four more have passed in silence.
	receiveTrigger = holdback{"rx_trig_bytes", "the UART tells of every %d characters, and of the last ones late"}
)

// hasten makes a port hand over what it receives at once. notes say what is not
// allowed or not possible; the port works without, more slowly.
func hasten(fd int, root, path string) (notes []string) {
	flag := setLowLatency(fd)
	adapter := false
	for _, h := range []holdback{latencyTimer, receiveTrigger} {
		n, err := h.lower(root, path)
		if err != nil {
			notes = append(notes, fmt.Sprintf("low_latency: "+h.means+": %v; a udev rule with ATTR{%s}=\"1\" can change it",
				n, err, filepath.Base(h.file)))
		}
		adapter = adapter || n > 0
	}
	if !adapter && flag != nil { // with those at 1 the flag is of no account
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

// lower sets the attribute to 1, unless that is done. It returns the number, 0 for
// a port without the attribute. Only root may write it, or whom a udev rule lets.
func (h holdback) lower(root, path string) (n int, err error) {
	tty, err := filepath.EvalSymlinks(path)
	if err != nil {
		return 0, nil
	}
	file := filepath.Join(root, "sys/class/tty", filepath.Base(tty), h.file)
	n, err = strconv.Atoi(attribute(filepath.Dir(file), filepath.Base(file)))
	if err != nil || n <= 1 {
		return n, nil
	}
	if err := os.WriteFile(file, []byte("1"), 0); err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return n, err
	}
	return 1, nil
}
