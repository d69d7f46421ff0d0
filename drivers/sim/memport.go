package sim

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// ErrUnplugged is what both ends of a port return after it was unplugged.
var ErrUnplugged = errors.New("port was unplugged")

// receiveBuffer is what a host may leave unread, as in the kernel.
const receiveBuffer = 4096

// MemPort is a serial port without hardware, with the semantics of
// go.bug.st/serial. It waits on channels and timers only, so a bus behind it runs
// in a testing/synctest bubble. One goroutine may read and another write; every
// other method may be called at any time.
type MemPort struct {
	arrived chan struct{} // the host has something to read
	written chan struct{} // the bus has something to take
	gone    chan struct{} // closed with err set

	mu      sync.Mutex
	rx, tx  []byte
	timeout time.Duration
	err     error
}

// NewMemPort returns a port that is plugged in and that Bus.Serve can serve. Its
// Read waits for ever until SetReadTimeout is called.
func NewMemPort() *MemPort {
	return &MemPort{
		arrived: make(chan struct{}, 1),
		written: make(chan struct{}, 1),
		gone:    make(chan struct{}),
		timeout: -1,
	}
}

// Read returns what has arrived, as soon as there is something; 0 and nil when the
// read timeout passed first.
func (p *MemPort) Read(b []byte) (int, error) {
	expired, stop := p.timer()
	defer stop()
	for {
		n, err := p.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		select {
		case <-p.arrived:
		case <-p.gone:
		case <-expired:
			return p.take(b)
		}
	}
}

// timer fires when a Read that begins now times out.
func (p *MemPort) timer() (expired <-chan time.Time, stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timeout < 0 {
		return nil, func() {}
	}
	t := time.NewTimer(p.timeout)
	return t.C, func() { t.Stop() }
}

func (p *MemPort) take(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	n := copy(b, p.rx)
	p.rx = p.rx[n:]
	return n, nil
}

// Write hands characters to the line and returns at once. What the bus does not
// take is lost beyond the 4096 that a driver would hold.
func (p *MemPort) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	p.tx = append(p.tx, b[:min(len(b), sendBuffer-len(p.tx))]...)
	notify(p.written)
	return len(b), nil
}

// SetReadTimeout applies to the next Read: 0 returns what is there, a negative
// timeout waits for ever.
func (p *MemPort) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timeout = d
	return p.err
}

// Close is the host's: pending and later calls return os.ErrClosed.
func (p *MemPort) Close() error { p.end(os.ErrClosed); return nil }

// Unplug pulls the adapter out: pending and later calls return ErrUnplugged, and
// so does Serve.
func (p *MemPort) Unplug() { p.end(ErrUnplugged) }

func (p *MemPort) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		close(p.gone)
	}
}

func (p *MemPort) acquire(context.Context) (func(), error) { return func() {}, nil }

func (p *MemPort) await(ctx context.Context, pause time.Duration) ([]byte, error) {
	var over <-chan time.Time
	if pause != forever {
		t := time.NewTimer(pause)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-p.gone:
		return nil, ErrUnplugged
	case <-ctx.Done():
	case <-p.written:
	case <-over:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	tx := p.tx
	p.tx = nil
	return tx, nil
}

func (p *MemPort) deliver(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rx = append(p.rx, b[:min(len(b), receiveBuffer-len(p.rx))]...)
	notify(p.arrived)
}

// notify wakes the reader of a channel of capacity 1; one wake-up is enough for
// everything that happened before it.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
