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
	Port       string // see CheckName; looked up anew by each Open
	Line       modbus.Line
	RS485      *RS485 // nil: the transceiver switches by itself
	LowLatency bool   // have characters handed over at once, where the driver can
}

// Port is an open serial port. Close may be called at any time; Read and
// SetReadTimeout belong to one goroutine.
type Port struct {
	path    string
	label   string // of errors: the name of the port, and its path where that is another
	port    lib.Port
	virtual bool
	notes   []string
	mode    *unix.Termios // as this program set it
	counts  kernelCounts  // at the start
	rts     *rts          // nil: nobody switches, or the driver does

	mu   sync.Mutex // keeps side open while it is written to
	side int        // the sidecar, see claim; -1 after Close
}

// Open finds the port, claims it and configures it. The error says what to do
// about it.
func Open(cfg Config) (*Port, error) { return openBelow("/", cfg) }

// openBelow is Open on a machine whose file system is below root.
func openBelow(root string, cfg Config) (*Port, error) {
	n, err := parseName(cfg.Port)
	if err != nil {
		return nil, err
	}
	p := &Port{label: cfg.Port}
	if p.path, err = n.resolve(root); err != nil {
		return nil, explain(root, p.label, cfg.Port, err)
	}
	if p.path != cfg.Port {
		p.label += " (" + p.path + ")"
	}
	if err := p.open(root, cfg); err != nil {
		return nil, explain(root, p.label, p.path, err)
	}
	return p, nil
}

// open claims the port at p.path and configures it.
func (p *Port) open(root string, cfg Config) error {
	mode, err := modeOf(cfg.Line)
	if err != nil {
		return err
	}
	if p.side, err = claim(p.path); err != nil {
		return err
	}
	if p.port, err = openLibrary(p.path, mode, p.side); err != nil {
		unix.Close(p.side)
		return err
	}
	if err := p.tune(root, cfg); err != nil {
		return errors.Join(err, p.Close())
	}
	return nil
}

// tune sets what the library does not know, and remembers how the port is now.
func (p *Port) tune(root string, cfg Config) (err error) {
	p.virtual = isPseudoTerminal(p.side)
	switch {
	case cfg.RS485 == nil:
		p.notes = foundOn(p.side)
	case cfg.RS485.Program:
		p.rts = &rts{mode: *cfg.RS485, line: cfg.Line, uart: sidecar(p.side)}
		err = p.rts.listen()
	default:
		p.notes, err = switchByDriver(p.side, *cfg.RS485)
	}
	if err != nil {
		return err
	}
	if cfg.LowLatency && !p.virtual {
		p.notes = append(p.notes, hasten(p.side, root, p.path)...)
	}
	p.counts, _ = countsOf(p.side) // without: LineErrors says so
	p.mode, err = unix.IoctlGetTermios(p.side, unix.TCGETS)
	return err
}

// Virtual reports whether the port is a pseudo-terminal: characters take no time
// there, whatever the line's speed.
func (p *Port) Virtual() bool { return p.virtual }

// Path returns the path that the port was found at.
func (p *Port) Path() string { return p.path }

// Notes returns what the driver did not do as it was asked to, and what it does
// unasked; a port works in spite of them.
func (p *Port) Notes() []string { return p.notes }

// openLibrary lets the library open the port. It does not ask for close-on-exec;
// the fork lock keeps children from being started before that is put right.
func openLibrary(path string, mode *lib.Mode, side int) (lib.Port, error) {
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
		return fmt.Errorf("%s: read timeout %v is negative", p.label, d)
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
	return n, p.explain(err)
}

// Write hands b to the driver and returns before it is on the wire; only where
// this program switches RTS it returns once b is out. It never blocks: an adapter
// that has stopped sending gives an error once its buffer is full. Settings that
// another program has changed meanwhile are an error too, with nothing sent: root
// may do that to a claimed port, and opening it again puts them right.
func (p *Port) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.side < 0 {
		return 0, p.closed()
	}
	if now, err := unix.IoctlGetTermios(p.side, unix.TCGETS); err == nil && *now != *p.mode {
		return 0, p.explain(errSettings)
	}
	send := func(b []byte) (int, error) { return write(p.side, b) }
	if p.rts != nil {
		send = p.rts.Write
	}
	n, err := send(b)
	if err != nil {
		return n, p.explain(err)
	}
	return n, nil
}

// errSettings is not told with what: stty -F PORT shows that.
var errSettings = errors.New("another program has changed the settings of the port")

// write goes to the sidecar because the library's Write blocks, and after Close
// goes to whatever file has got the descriptor's number since.
func write(side int, b []byte) (int, error) {
	for {
		n, err := unix.Write(side, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, err
		case n < len(b):
			return n, io.ErrShortWrite
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

func (p *Port) closed() error { return fmt.Errorf("%s: %w", p.label, os.ErrClosed) }

func (p *Port) explain(err error) error { return explain("/", p.label, p.path, err) }
