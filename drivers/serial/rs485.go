package serial

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RS485 says how the transceiver of a port is switched to sending and back by
// RTS. Most USB adapters and many boards do that by themselves and need none of
// it.
type RS485 struct {
	// Program has RTS switched by this program instead of the driver: for drivers
	// that cannot. It is late by up to some milliseconds when the machine is busy,
	// and a unit that answers quickly is cut off then.
	Program     bool
	AfterSend   bool          // RTS is off while sending and on otherwise; else the other way round
	DelayBefore time.Duration // from RTS to the first bit; whole milliseconds up to MaxRTSDelay
	DelayAfter  time.Duration // from the last bit to RTS
	RxDuringTx  bool          // the receiver stays on while sending, which makes an echo
	Terminate   bool          // switch the board's terminating resistor on
}

// MaxRTSDelay is the longest delay that Linux takes.
const MaxRTSDelay = 100 * time.Millisecond

// encode returns what the kernel is asked for.
func (r RS485) encode() kernelRS485 {
	k := kernelRS485{
		flags:  rs485Enabled | rs485OnSend,
		before: uint32(r.DelayBefore / time.Millisecond),
		after:  uint32(r.DelayAfter / time.Millisecond),
	}
	if r.AfterSend {
		k.flags = rs485Enabled | rs485AfterSend
	}
	if r.RxDuringTx {
		k.flags |= rs485RxDuring
	}
	if r.Terminate {
		k.flags |= rs485Terminate
	}
	return k
}

var errNoDriverSwitch = errors.New("its driver cannot switch an RS-485 transceiver: " +
	"remove rs485 if the adapter switches by itself, as most on USB do, or else try rs485: {by: program}")

// switchByDriver turns on the RS-485 mode of a port's driver. Drivers take what
// they can and refuse nothing, so what they took is read back: notes are the
// differences that one can live with.
func switchByDriver(fd int, r RS485) (notes []string, err error) {
	want := r.encode()
	ask := want
	switch err := ioctl(fd, unix.TIOCSRS485, unsafe.Pointer(&ask)); {
	case err == unix.ENOTTY, err == unix.EINVAL, err == unix.EOPNOTSUPP:
		return nil, errNoDriverSwitch
	case err != nil:
		return nil, fmt.Errorf("set RS-485 mode: %w", err)
	}
	var got kernelRS485
	if err := ioctl(fd, unix.TIOCGRS485, unsafe.Pointer(&got)); err != nil {
		return nil, fmt.Errorf("read RS-485 mode back: %w", err)
	}
	return want.compare(got)
}

// compare says what a driver made of k. An error means that the line would not
// work, or would be held by us while others answer.
func (k kernelRS485) compare(got kernelRS485) (notes []string, err error) {
	const polarity = rs485OnSend | rs485AfterSend
	switch {
	case got.flags&rs485Enabled == 0:
		return nil, errNoDriverSwitch
	case got.flags&polarity != k.flags&polarity:
		return nil, fmt.Errorf("its driver switches RTS the other way round only: rs485: {rts: %s}", polarityOf(got.flags))
	}
	if got.before != k.before {
		notes = append(notes, fmt.Sprintf("rs485: delay_before is %d ms, not %d ms: the driver takes no other", got.before, k.before))
	}
	if got.after != k.after {
		notes = append(notes, fmt.Sprintf("rs485: delay_after is %d ms, not %d ms: the driver takes no other", got.after, k.after))
	}
	for _, f := range []struct {
		flag uint32
		name string
	}{{rs485RxDuring, "rx_during_tx"}, {rs485Terminate, "terminate"}} {
		if (got.flags^k.flags)&f.flag != 0 {
			notes = append(notes, fmt.Sprintf("rs485: %s is %t: the driver cannot do otherwise", f.name, got.flags&f.flag != 0))
		}
	}
	return notes, nil
}

// polarityOf returns the name of a polarity in site files.
func polarityOf(flags uint32) string {
	if flags&rs485OnSend != 0 {
		return "on-send"
	}
	return "after-send"
}

// foundOn notes an RS-485 mode that nobody asked for: the device tree or an
// earlier program has turned it on, and it stays.
func foundOn(fd int) []string {
	var got kernelRS485
	if ioctl(fd, unix.TIOCGRS485, unsafe.Pointer(&got)) != nil || got.flags&rs485Enabled == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the driver switches RS-485 by rts: %s already, delays %d ms and %d ms; rs485 in the site file would set it",
		polarityOf(got.flags), got.before, got.after)}
}
