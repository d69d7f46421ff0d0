package link

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pair is one connection with its two ends.
type pair struct {
	link  *Link
	ended chan struct{} // reset, or closed at both ends

	mu      sync.Mutex
	err     error // of a reset
	dead    bool  // half-open
	closed  int   // ends
	carried int   // bytes up
}

// end ends both ends at once; the first cause counts.
func (p *pair) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		close(p.ended)
	}
}

func (p *pair) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *pair) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *pair) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// leave takes note that one end was closed.
func (p *pair) leave() {
	p.mu.Lock()
	p.closed++
	last := p.closed == 2
	p.mu.Unlock()
	if last {
		p.end(net.ErrClosed)
		p.link.forget(p)
	}
}

// packet is on its way, or waits for whoever reads it.
type packet struct {
	data []byte
	at   time.Time // when it is there
	last bool      // FIN
}

// flow is one direction of a connection.
type flow struct {
	pair *pair
	road *road

	mu      sync.Mutex
	packets []packet
	changed chan struct{} // closed and replaced with each packet
	lost    int           // bytes written since the connection is dead
}

func newFlow(p *pair, r *road) *flow {
	return &flow{pair: p, road: r, changed: make(chan struct{})}
}

func (f *flow) push(data []byte, last bool) time.Time {
	left := f.road.book(len(data))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.packets = append(f.packets, packet{append([]byte(nil), data...), left.Add(f.pair.link.cfg.RTT / 2), last})
	close(f.changed)
	f.changed = make(chan struct{})
	return left
}

// swallow takes bytes of a dead connection as the kernel does: into its buffer, as
// long as that has room.
func (f *flow) swallow(n int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost += n
	return f.lost <= f.pair.link.cfg.Buffer
}

// head returns the first packet, and what to wait for when there is none.
func (f *flow) head() (packet, bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.packets) == 0 {
		return packet{}, false, f.changed
	}
	return f.packets[0], true, f.changed
}

// take moves what fits of the first packet to b.
func (f *flow) take(b []byte) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.packets[0]
	n := copy(b, p.data)
	if p.data = p.data[n:]; len(p.data) == 0 {
		f.packets = f.packets[1:]
	}
	if f.road == &f.pair.link.up {
		f.pair.mu.Lock()
		f.pair.carried += n
		f.pair.mu.Unlock()
	}
	return n
}

// end is a net.Conn: one end of a pair.
type end struct {
	pair    *pair
	in, out *flow

	reading, writing deadline
	once             sync.Once
	gone             deadline // passes when this end is closed
}

func (e *end) Read(b []byte) (int, error) {
	for {
		p, there, changed := e.in.head()
		var timer <-chan time.Time
		passable := e.pair.link.passable()
		switch wait := time.Until(p.at); {
		case e.pair.isDead():
			changed, passable = nil, nil
		case !there:
			passable = nil
		case wait > 0:
			timer, passable = time.After(wait), nil
		case e.pair.link.Carries() && p.last:
			return 0, io.EOF
		case e.pair.link.Carries():
			return e.in.take(b), nil
		}
		select {
		case <-changed:
		case <-timer:
		case <-passable:
		case <-e.pair.ended:
			return 0, e.pair.cause()
		case <-e.gone.passed():
			return 0, net.ErrClosed
		case <-e.reading.passed():
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// Write blocks while the buffer in front of the link is full, or the link fades.
func (e *end) Write(b []byte) (n int, err error) {
	for n < len(b) {
		if err := e.wait(e.pair.link.passable(), nil); err != nil {
			return n, err
		}
		part := b[n:min(n+segment, len(b))]
		if e.pair.isDead() {
			if !e.out.swallow(len(part)) {
				return n, e.wait(nil, nil)
			}
			n += len(part)
			continue
		}
		left := e.out.push(part, false)
		n += len(part)
		room := time.Until(left) - time.Duration(e.pair.link.cfg.Buffer)*time.Second/time.Duration(e.out.road.rate)
		if err := e.wait(nil, time.After(room)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// wait blocks until either channel yields, or Write has to fail.
func (e *end) wait(open <-chan struct{}, timer <-chan time.Time) error {
	select {
	case <-open:
	case <-timer:
	case <-e.pair.ended:
		return e.pair.cause()
	case <-e.gone.passed():
		return net.ErrClosed
	case <-e.writing.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Close ends this side; the other reads to the end of what is on its way.
func (e *end) Close() error {
	e.once.Do(func() {
		e.gone.set(time.Now())
		if !e.pair.isDead() {
			e.out.push(nil, true)
		}
		e.pair.leave()
	})
	return nil
}

func (e *end) SetDeadline(t time.Time) error {
	e.reading.set(t)
	e.writing.set(t)
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error  { e.reading.set(t); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { e.writing.set(t); return nil }
func (e *end) LocalAddr() net.Addr                { return address{} }
func (e *end) RemoteAddr() net.Addr               { return address{} }

type address struct{}

func (address) Network() string { return "link" }
func (address) String() string  { return "link" }

// deadline passes once its time has come. The zero value never does.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	if d.done == nil || isClosed(d.done) {
		d.done = make(chan struct{})
	}
	d.timer = nil
	done := d.done
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(done)
	default:
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.done == done && !isClosed(done) {
				close(done)
			}
		})
	}
}

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
