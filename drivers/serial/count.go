package serial

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LineErrors counts what a port received in bad shape since it was opened. A wrong
// baud rate, a wrong parity or a missing terminator shows here, where a unit that
// is silent shows nothing.
type LineErrors struct {
	Framing uint32 // characters without a stop bit: wrong baud rate, noise
	Parity  uint32 // characters with the wrong parity bit
	Overrun uint32 // characters lost because they were not fetched in time
	Break   uint32 // the line was held for longer than a character: no bias, a short
}

// LineErrors returns the counts so far. The error is errors.ErrUnsupported where
// the driver keeps none, as that of pseudo-terminals.
func (p *Port) LineErrors() (LineErrors, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.side < 0 {
		return LineErrors{}, p.closed()
	}
	c, err := countsOf(p.side)
	if err != nil {
		return LineErrors{}, fmt.Errorf("%s: count line errors: %w", p.label, err)
	}
	return c.since(p.counts), nil
}

// since returns what has been added since an earlier count. The kernel's counters
// are as old as the adapter, and wrap.
func (c kernelCounts) since(then kernelCounts) LineErrors {
	return LineErrors{
		Framing: c.frame - then.frame,
		Parity:  c.parity - then.parity,
		Overrun: c.overrun - then.overrun + c.dropped - then.dropped,
		Break:   c.brk - then.brk,
	}
}

func countsOf(fd int) (c kernelCounts, err error) {
	err = ioctl(fd, unix.TIOCGICOUNT, unsafe.Pointer(&c))
	if err == unix.ENOTTY || err == unix.EINVAL {
		err = errors.ErrUnsupported
	}
	return c, err
}
