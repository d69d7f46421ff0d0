package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// PTY is a pseudo-terminal: a host opens Path as it would a serial adapter, and
// the bus is served behind it. The runtime's own timers are rounded to the
// millisecond, a whole frame at 115200 Bd, so the bus waits for a timer of the
// kernel, which the runtime takes for one more descriptor.
type PTY struct {
	path   string
	master int // -1 when unplugged
	slave  int // kept open: without a holder the master reports an error, not silence
	timer  int
	events *os.File        // epoll descriptor, ready when master or timer is
	wait   syscall.RawConn // of events
	buf    [receiveBuffer]byte

	serving sync.Mutex
	gone    atomic.Bool // Unplug has been called
}

// OpenPTY returns a new pseudo-terminal in raw mode. Path is gone after Unplug.
func OpenPTY() (*PTY, error) {
	p := &PTY{master: -1, slave: -1, timer: -1}
	err := p.openTerminal()
	if err == nil {
		err = p.openEvents()
	}
	if err != nil {
		p.release()
		return nil, fmt.Errorf("open pseudo-terminal: %w", err)
	}
	p.setRaw()
	return p, nil
}

func (p *PTY) openTerminal() (err error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	if p.master, err = unix.Open("/dev/ptmx", flags|unix.O_NONBLOCK, 0); err != nil {
		return fmt.Errorf("/dev/ptmx: %w", err)
	}
	number, err := unix.IoctlGetInt(p.master, unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("ask for its number: %w", err)
	}
	p.path = fmt.Sprintf("/dev/pts/%d", number)
	// An emulator may not know this call; whether it was needed, the next open tells.
	_ = unix.IoctlSetPointerInt(p.master, unix.TIOCSPTLCK, 0)
	if p.slave, err = unix.Open(p.path, flags, 0); err != nil {
		return fmt.Errorf("%s: %w", p.path, err)
	}
	return nil
}

func (p *PTY) openEvents() (err error) {
	if p.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("create timer: %w", err)
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	err = unix.SetNonblock(fd, true) // or os.File would not leave the waiting to the runtime
	for _, watched := range []int{p.master, p.timer} {
		err = errors.Join(err, unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, watched, &unix.EpollEvent{Events: unix.EPOLLIN}))
	}
	p.events = os.NewFile(uintptr(fd), "events of "+p.path)
	if err != nil {
		return fmt.Errorf("set up epoll: %w", err)
	}
	p.wait, err = p.events.SyscallConn()
	return err
}

// setRaw turns off echo and translation, for hosts that do not do so themselves.
// If it fails it is left to them.
func (p *PTY) setRaw() {
	t, err := unix.IoctlGetTermios(p.slave, unix.TCGETS)
	if err != nil {
		return
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	_ = unix.IoctlSetTermios(p.slave, unix.TCSETS, t)
}

// Path is what the host opens, such as /dev/pts/3.
func (p *PTY) Path() string { return p.path }

// Unplug hangs up as the kernel does when an adapter is pulled out, and frees the
// pseudo-terminal: hosts that hold Path get end of file or an input/output error,
// Serve returns ErrUnplugged.
func (p *PTY) Unplug() {
	p.gone.Store(true)
	_ = p.events.Close() // ends a wait in progress
	p.serving.Lock()
	defer p.serving.Unlock()
	p.release()
}

func (p *PTY) release() {
	for _, fd := range []*int{&p.slave, &p.master, &p.timer} {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
	if p.events != nil {
		_ = p.events.Close()
	}
}

func (p *PTY) acquire(ctx context.Context) (func(), error) {
	claimed := p.serving.TryLock()
	switch {
	case p.gone.Load(): // or going: Unplug may hold the lock
		if claimed {
			p.serving.Unlock()
		}
		return nil, ErrUnplugged
	case !claimed:
		return nil, fmt.Errorf("%s is served already", p.path)
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = p.events.SetReadDeadline(time.Unix(1, 0))
		close(interrupted)
	})
	return func() {
		if !stop() {
			<-interrupted
			_ = p.events.SetReadDeadline(time.Time{})
		}
		p.serving.Unlock()
	}, nil
}

func (p *PTY) await(_ context.Context, pause time.Duration) ([]byte, error) {
	var alarm unix.ItimerSpec // zero: none
	if pause != forever {
		alarm.Value = unix.NsecToTimespec(max(1, pause.Nanoseconds()))
	}
	if err := unix.TimerfdSettime(p.timer, 0, &alarm, nil); err != nil {
		return nil, fmt.Errorf("%s: set timer: %w", p.path, err)
	}
	err := p.wait.Read(func(epoll uintptr) bool {
		var ready [2]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), ready[:], 0)
		return n > 0 || err != nil
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // cancelled
		return nil, nil
	case err != nil: // only a closed file refuses to wait
		return nil, ErrUnplugged
	}
	n, err := unix.Read(p.master, p.buf[:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: read: %w", p.path, err)
	}
	return p.buf[:n], nil
}

// deliver drops what a host that does not read has no room for.
func (p *PTY) deliver(b []byte) { _, _ = unix.Write(p.master, b) }
