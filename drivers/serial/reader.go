package serial

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reader reads the sidecar. The library's Read blocks a thread in select(2),
// which wakes several others of the runtime each time; the runtime's own timers
// are rounded to the millisecond, half of a silence. So the reader is one
// descriptor that the runtime waits for, an epoll of the port and of a timer of
// the kernel. All but close belong to one goroutine.
type reader struct {
	port, timer int
	events      *os.File        // the epoll
	ready       syscall.RawConn // of events
	watched     bool            // the port is, not only the timer

	timeout time.Duration // of read; negative: none
	call
	tryRead, tryRest func(epoll uintptr) (done bool) // methods, bound once
}

// call is a read or a pause in progress.
type call struct {
	into  []byte
	n     int
	err   error
	until time.Time
	armed bool // the timer is set to until
}

func newReader(port int) (*reader, error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create timer: %w", err)
	}
	r := &reader{port: port, timer: timer, timeout: -1}
	r.tryRead, r.tryRest = r.receive, r.rest
	if err := r.open(); err != nil {
		unix.Close(timer)
		return nil, fmt.Errorf("set up epoll: %w", err)
	}
	return r, nil
}

func (r *reader) open() error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	err = errors.Join(
		unix.SetNonblock(epoll, true), // or os.File would not leave the waiting to the runtime
		unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, r.timer, &unix.EpollEvent{Events: unix.EPOLLIN}),
		unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, r.port, &unix.EpollEvent{}),
	)
	if err != nil {
		unix.Close(epoll)
		return err
	}
	r.events = os.NewFile(uintptr(epoll), "epoll")
	r.ready, err = r.events.SyscallConn()
	return err
}

// close makes a call in progress and those to come return os.ErrClosed, and waits
// until they are done with the port.
func (r *reader) close() error { return errors.Join(r.events.Close(), unix.Close(r.timer)) }

// read waits until at least one byte has been received and returns what is there;
// (0, nil) when the timeout passes.
func (r *reader) read(b []byte) (int, error) {
	r.call = call{into: b, until: time.Now().Add(r.timeout)}
	if r.ready.Read(r.tryRead) != nil {
		return 0, os.ErrClosed // or it would wait
	}
	return r.n, r.err
}

// pause waits for d, whatever is received meanwhile.
func (r *reader) pause(d time.Duration) error {
	r.call = call{until: time.Now().Add(d)}
	if r.ready.Read(r.tryRest) != nil {
		return os.ErrClosed
	}
	return r.err
}

// receive reads what there is. When there is nothing, and still time, it sees to
// it that it is called again.
func (r *reader) receive(epoll uintptr) (done bool) {
	n, err := readNow(r.port, r.into)
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return r.timeout == 0 || r.watch(epoll, true) || r.timeout > 0 && r.expired()
	case err != nil:
		r.err = err
	case n == 0:
		r.err = unix.EIO // how a terminal reads that the kernel has hung up
	default:
		r.n = n
	}
	return true
}

// rest is the same for a pause, in which the port must not wake anybody.
func (r *reader) rest(epoll uintptr) (done bool) { return r.watch(epoll, false) || r.expired() }

// expired reports whether the time is up. The timer ends the wait otherwise.
func (r *reader) expired() bool {
	left := time.Until(r.until)
	switch {
	case left <= 0:
		return true
	case r.armed:
		return false
	}
	r.armed = true
	return r.failed(setTimer(r.timer, left))
}

// watch has the port end the wait, or not.
func (r *reader) watch(epoll uintptr, on bool) (failed bool) {
	if r.watched == on {
		return false
	}
	var events uint32
	if on {
		events = unix.EPOLLIN
	}
	r.watched = on
	return r.failed(setEvents(int(epoll), r.port, events))
}

func (r *reader) failed(err error) bool {
	r.err = err
	return err != nil
}
