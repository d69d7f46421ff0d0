package serial

import (
	"cmp"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice/drivers/modbus"
)

// rts is the direction line of a transceiver that no driver switches, and the
// port it belongs to.
type rts struct {
	mode RS485
	line modbus.Line
	uart uart
}

// uart is what switching takes of a port.
type uart interface {
	Write(b []byte) (int, error)
	SetRTS(on bool) error
	Empty() bool // the last bit has left, or nobody can tell
	Sleep(d time.Duration)
}

// listen switches the line to receiving. A kernel that opens a port has RTS on
// for a moment.
func (r *rts) listen() error {
	if err := r.uart.SetRTS(r.mode.AfterSend); err != nil {
		return fmt.Errorf("rs485: {by: program} needs a port with an RTS line: %w", err)
	}
	return nil
}

// Write sends b with the line switched to sending meanwhile. It returns when the
// line is switched back: as long as b is on the wire, and the delays.
func (r *rts) Write(b []byte) (int, error) {
	if err := r.uart.SetRTS(!r.mode.AfterSend); err != nil {
		return 0, err
	}
	r.uart.Sleep(r.mode.DelayBefore)
	n, err := r.uart.Write(b)
	r.drain(n)
	r.uart.Sleep(r.mode.DelayAfter)
	return n, cmp.Or(err, r.uart.SetRTS(r.mode.AfterSend))
}

// drain waits until n bytes are out. tcdrain(3) would wait in ticks of the kernel,
// 4 ms too long on many: so first for the time that they take, then for what the
// UART says.
func (r *rts) drain(n int) {
	const poll = 100 * time.Microsecond
	r.uart.Sleep(r.line.Chars(n))
	for range 100 { // an adapter that never empties would hold the line for ever
		if r.uart.Empty() {
			return
		}
		r.uart.Sleep(poll)
	}
}

// sidecar is the uart behind a descriptor.
type sidecar int

func (s sidecar) Write(b []byte) (int, error) { return write(int(s), b) }

func (s sidecar) SetRTS(on bool) error {
	call := uint(unix.TIOCMBIC)
	if on {
		call = unix.TIOCMBIS
	}
	return unix.IoctlSetPointerInt(int(s), call, unix.TIOCM_RTS)
}

// Empty asks the UART, and where the driver does not know the question, whether
// the driver's buffer is empty.
func (s sidecar) Empty() bool {
	var status uint32
	if ioctl(int(s), unix.TIOCSERGETLSR, unsafe.Pointer(&status)) == nil {
		return status&txEmpty != 0
	}
	waiting, err := unix.IoctlGetInt(int(s), unix.TIOCOUTQ)
	return err != nil || waiting == 0
}

// Sleep holds the thread: the runtime's timers come up to 1 ms late, half of the
// silence in which the line has to be free.
func (s sidecar) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	left := unix.NsecToTimespec(d.Nanoseconds())
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}
