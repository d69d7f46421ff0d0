// Package serial opens serial ports for the buses: raw, exclusive, with a read
// timeout precise enough to be the clock of a Modbus line. It wraps
// go.bug.st/serial and closes the gaps that matter to a daemon. It knows nothing
// of frames.
package serial

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	lib "go.bug.st/serial"
	"golang.org/x/sys/unix"

	"sluice/drivers/modbus"
)

// Config names a port and says how characters travel on it.
type Config struct {
	Path string // such as /dev/serial/by-id/usb-FTDI_FT232R_A50285BI-if00-port0
	Line modbus.Line
}

// Port is an open serial port. Close may be called at any time; Read and
// SetReadTimeout belong to one goroutine.
type Port struct {
	path    string
	port    lib.Port
	virtual bool

	mu   sync.Mutex // keeps side open while it is written to
	side int        // the sidecar, see claim; -1 after Close
}

// Open claims the port and configures it. The error says what to do about it.
func Open(cfg Config) (*Port, error) {
	mode, err := modeOf(cfg.Line)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	side, err := claim(cfg.Path)
	if err != nil {
		return nil, explain(cfg.Path, err)
	}
	port, err := open(cfg.Path, mode, side)
	if err != nil {
		unix.Close(side)
		return nil, explain(cfg.Path, err)
	}
	return &Port{path: cfg.Path, port: port, virtual: isPseudoTerminal(side), side: side}, nil
}

// Virtual reports whether the port is a pseudo-terminal: characters take no time
// there, whatever the line's speed.
func (p *Port) Virtual() bool { return p.virtual }

// open lets the library open the port. It does not ask for close-on-exec; the
// fork lock keeps children from being started before that is put right.
func open(path string, mode *lib.Mode, side int) (lib.Port, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	port, err := lib.Open(path, mode)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(watchable(port), closeOnExec(side)); err != nil {
		port.Close()
		return nil, err
	}
	return port, nil
}

// modeOf translates a line. The library takes a zero for its own default, which
// would hide a mistake.
func modeOf(l modbus.Line) (*lib.Mode, error) {
	m := &lib.Mode{BaudRate: l.Baud, DataBits: l.DataBits}
	switch l.Parity {
	case modbus.NoParity:
		m.Parity = lib.NoParity
	case modbus.EvenParity:
		m.Parity = lib.EvenParity
	case modbus.OddParity:
		m.Parity = lib.OddParity
	case modbus.MarkParity:
		m.Parity = lib.MarkParity
	case modbus.SpaceParity:
		m.Parity = lib.SpaceParity
	default:
		return nil, fmt.Errorf("parity %q is none of N, E, O, M and S", byte(l.Parity))
	}
	switch l.StopBits {
	case 1:
		m.StopBits = lib.OneStopBit
	case 2:
		m.StopBits = lib.TwoStopBits
	default:
		return nil, fmt.Errorf("%d stop bits: a port has 1 or 2", l.StopBits)
	}
	if l.Baud < 1 || l.DataBits < 5 || l.DataBits > 8 {
		return nil, fmt.Errorf("%d Bd with %d data bits is no serial line", l.Baud, l.DataBits)
	}
	return m, nil
}

// SetReadTimeout sets how long a Read waits for its first byte; 0 returns only
// what has been received already. A new port waits for ever.
func (p *Port) SetReadTimeout(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: read timeout %v is negative", p.path, d)
	}
	return p.port.SetReadTimeout(d)
}

// Read waits until at least one byte has been received and returns what is
// there. It returns (0, nil) when the read timeout passes, about 0.1 ms late. An
// error means that the port has been closed or its adapter is gone.
func (p *Port) Read(b []byte) (int, error) {
	n, err := p.port.Read(b)
	if err == nil {
		return n, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.side < 0 {
		return n, p.closed()
	}
	if e, ok := errors.AsType[*lib.PortError](err); ok && e.Code() == lib.PortClosed {
		err = unix.EIO // how the library reports a port that the kernel hung up
	}
	return n, explain(p.path, err)
}

// Write hands b to the driver and returns before it is on the wire. It never
// blocks: an adapter that has stopped sending gives an error once its buffer is
// full. The sidecar is written to because the library's Write blocks, and after
// Close goes to whatever file has got the descriptor's number since.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.side < 0 {
		return 0, p.closed()
	}
	for {
		n, err := unix.Write(p.side, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, explain(p.path, err)
		case n < len(b):
			return n, explain(p.path, io.ErrShortWrite)
		default:
			return n, nil
		}
	}
}

// Close gives the port back; a blocked Read returns. What the driver has not
// sent yet is dropped, since closing would wait up to 30 s for it.
func (p *Port) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.side < 0 {
		return nil
	}
	p.port.ResetOutputBuffer() // fails when the adapter is gone, with nothing left to drop
	side := p.side
	p.side = -1
	return errors.Join(p.port.Close(), unix.Close(side))
}

func (p *Port) closed() error { return fmt.Errorf("%s: %w", p.path, os.ErrClosed) }
