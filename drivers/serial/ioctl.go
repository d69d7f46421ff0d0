package serial

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel shares with programs in <linux/serial.h>. The numbers of the
// calls differ between processors, MIPS above all, and come from x/sys.

// kernelRS485 is struct serial_rs485.
type kernelRS485 struct {
	flags         uint32
	before, after uint32 // RTS delays in ms
	reserved      [5]uint32
}

// Flags of kernelRS485.
const (
	rs485Enabled   = 1 << 0
	rs485OnSend    = 1 << 1
	rs485AfterSend = 1 << 2
	rs485RxDuring  = 1 << 4
	rs485Terminate = 1 << 5
)

// kernelPort is struct serial_struct. The driver gets back what it gave but for
// the flags: padding that the compiler might not copy would change the port.
type kernelPort struct {
	kind, line, port, irq     uint32
	flags                     uint32
	fifo, divisor, base       uint32
	closeDelay                uint16
	ioType, reserved          uint8
	hub6                      uint32
	closingWait, closingWait2 uint16
	memory                    uintptr
	registerShift             uint16
	portHigh                  uint32
	mapping                   uintptr
}

// lowLatency is ASYNC_LOW_LATENCY of <linux/tty_flags.h>.
const lowLatency = 1 << 13

// kernelCounts is struct serial_icounter_struct.
type kernelCounts struct {
	modem                                [4]uint32
	rx, tx                               uint32
	frame, overrun, parity, brk, dropped uint32
	reserved                             [9]uint32
}

// txEmpty is TIOCSER_TEMT of <linux/serial.h>: the last bit has left the UART.
const txEmpty = 1

func ioctl(fd int, call uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(call), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
