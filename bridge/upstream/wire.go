package upstream

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

const (
	writeTimeout = 2 * time.Minute // for one chunk; less than 140 B/s is no link
	writeChunk   = 16 << 10
	maxInbound   = 256 << 10 // longest PUBLISH taken; what else a broker sends has 4 bytes

	// A small message in a packet of its own costs the link 40 to 60 bytes more, and
	// 22 again for TLS. So while as much as a packet is on its way, less than that
	// waits for company, or for an answer, but no longer than the pause. Nagle's
	// algorithm would wait for the last answer.
	segment = 1360 // fits into a packet on every usual link, with TLS and in tunnels
	pause   = 200 * time.Millisecond
)

// errEnded is all paho ever learns. It must not speak of a closed connection:
// paho takes such an error for its own doing and waits for ever.
var errEnded = errors.New("connection ended")

// wire is the connection as paho sees it. Writes are taken at once and leave
// through flush, in order. Reads let only packets through that paho can be
// trusted with. The first thing that goes wrong on either side ends both; done
// is closed then and cause says why.
type wire struct {
	net.Conn // perhaps TLS
	raw      net.Conn
	in       *bufio.Reader
	left     int           // of the packet being read
	wake     chan struct{} // there is something for flush to do
	done     chan struct{}
	flushed  chan struct{} // flush has returned

	publishing  sync.Mutex  // see whileUp
	subscribing atomic.Bool // a SUBACK is due, and nothing else was asked

	mu     sync.Mutex
	out    []byte    // bounded by what the session lets be owed
	since  time.Time // of the oldest byte in out, or later
	owed   int       // bytes of messages without their PUBACK
	linger bool      // Close means: when everything is flushed
	last   bool      // Close came
	err    error
}

// newWire starts flushing to conn, which runs over raw. The wire ends when the
// peer is silent for longer than silence.
func newWire(raw, conn net.Conn, silence time.Duration) *wire {
	w := &wire{
		Conn:    conn,
		raw:     raw,
		in:      bufio.NewReader(&patient{conn, silence}),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		flushed: make(chan struct{}),
	}
	go w.flush()
	return w
}

// end closes the connection at once. The first cause counts.
func (w *wire) end(cause error) {
	w.note(cause)
	w.raw.Close()
}

func (w *wire) note(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = cause
		close(w.done)
	}
}

// cause returns why the wire ended, nil while it has not.
func (w *wire) cause() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// whileUp runs f unless the wire has ended. Should it end meanwhile, paho learns
// of it only after f: a Publish that overlaps paho's own shutdown would hang.
func (w *wire) whileUp(f func()) bool {
	w.publishing.Lock()
	defer w.publishing.Unlock()
	if w.cause() != nil {
		return false
	}
	f()
	return true
}

// Write takes p and returns; flush sends it. It never fails: paho hears of the
// end from Read alone.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		if len(w.out) == 0 {
			w.since = time.Now()
		}
		w.out = append(w.out, p...)
		w.signal()
	}
	return len(p), nil
}

func (w *wire) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// lingerOnClose makes a later Close wait in the background until everything
// written before it has left.
func (w *wire) lingerOnClose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.linger = true
}

// Close is called by paho, after DISCONNECT or because it gave up.
func (w *wire) Close() error {
	w.mu.Lock()
	linger := w.linger
	w.last = true
	w.signal()
	w.mu.Unlock()
	if !linger {
		w.end(errors.New("upstream sent a packet that makes no sense"))
	}
	return nil
}

// The wire has its own ideas of patience: see patient and send.

func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

func (w *wire) flush() {
	defer close(w.flushed)
	gather := time.NewTimer(0)
	defer gather.Stop()
	for {
		select {
		case <-w.wake:
		case <-gather.C:
		case <-w.done:
			return
		}
		batch, wait, last := w.cut(time.Now())
		if err := w.send(batch); err != nil {
			w.lastWords(err)
			w.end(fmt.Errorf("sending to upstream: %w", err))
			return
		}
		if last {
			w.note(errClosed)
			w.Conn.Close() // says goodbye first where TLS wants it
			return
		}
		if wait > 0 {
			gather.Reset(wait)
		}
	}
}

// cut takes out what is to be sent now, and returns how long the rest may wait for
// more; 0: there is none. The end of the connection waits for nothing.
func (w *wire) cut(now time.Time) (batch []byte, wait time.Duration, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.out)
	wait = w.since.Add(pause).Sub(now)
	if part := n % segment; part > 0 && !w.last && w.owed-n >= segment && wait > 0 {
		n -= part
	}
	batch, w.out = w.out[:n:n], append([]byte(nil), w.out[n:]...)
	if n > 0 {
		w.since = now
		wait = pause
	}
	if len(w.out) == 0 {
		wait = 0
	}
	return batch, wait, w.last
}

// owe takes note of n bytes that will be written and answered, or, when n is
// negative, that were.
func (w *wire) owe(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owed += n
	if n < 0 && len(w.out) > 0 {
		w.signal()
	}
}

// lastWords lets Read find out why the other side hung up, if it said so.
func (w *wire) lastWords(err error) {
	if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}

func (w *wire) send(batch []byte) error {
	for len(batch) > 0 {
		if err := w.Conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		n, err := w.Conn.Write(batch[:min(len(batch), writeChunk)])
		if err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

// Read hands out one packet after the other and ends the wire on the first error.
func (w *wire) Read(p []byte) (n int, err error) {
	if w.left == 0 {
		w.left, err = w.nextPacket()
	}
	if err == nil {
		n, err = w.in.Read(p[:min(len(p), w.left)])
		w.left -= n
	}
	if err != nil {
		w.readFailed(err)
		return n, errEnded
	}
	return n, nil
}

// readFailed ends the wire and returns when paho may shut down.
func (w *wire) readFailed(err error) {
	if w.lingers() {
		<-w.flushed // a broker may hang up on DISCONNECT before flush can tell
	}
	w.end(readable(err))
	w.publishing.Lock() // a Publish in progress returns first
	defer w.publishing.Unlock()
}

func (w *wire) lingers() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.linger
}

// readable turns what Read meets most often into words for a technician.
func readable(err error) error {
	if said := alert(err); said != "" {
		return errors.New("upstream refuses this gateway: " + said)
	}
	_, goodbye := errors.AsType[*websocket.CloseError](err)
	switch {
	case errors.Is(err, io.EOF) || goodbye:
		return hungUp{}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("upstream is silent")
	}
	return err
}

// hungUp is io.EOF in such words.
type hungUp struct{}

func (hungUp) Error() string { return "upstream closed the connection" }
func (hungUp) Unwrap() error { return io.EOF }

// nextPacket returns the length of the next packet without consuming any of it.
// What paho must not see is an error: lengths it would allocate unseen, refusals
// it does not know and takes for success, and answers to what was never asked,
// which complete the token of a PUBLISH as if they were its PUBACK.
func (w *wire) nextPacket() (int, error) {
	header, body, err := peekHeader(w.in)
	if err != nil {
		return 0, err
	}
	const connack, publish, puback, suback, pingresp = 2, 3, 4, 9, 13
	switch kind := header[0] >> 4; {
	case kind == connack && body == 2:
		ack, err := w.in.Peek(len(header) + body)
		if err != nil {
			return 0, err
		}
		if code := ack[len(ack)-1]; code > 5 {
			return 0, refusal(code, "")
		}
	case kind == suback && body <= maxInbound && w.subscribing.CompareAndSwap(true, false):
	case kind == puback && body == 2, kind == pingresp && body == 0, kind == publish && body <= maxInbound:
	default:
		return 0, fmt.Errorf("upstream sent a packet of type %d and %d bytes, which has no place here", kind, body)
	}
	return len(header) + body, nil
}

// peekHeader returns the fixed header (MQTT 3.1.1, 2.2) and the length that
// follows it.
func peekHeader(in *bufio.Reader) (header []byte, body int, err error) {
	for n := 2; n <= 5; n++ {
		header, err = in.Peek(n)
		if err != nil {
			return nil, 0, err
		}
		if header[n-1] < 0x80 {
			length, _ := binary.Uvarint(header[1:]) // the same encoding, up to four bytes
			return header, int(length), nil
		}
	}
	return nil, 0, errors.New("upstream sent a packet length that is none")
}

// patient gives each read the same time.
type patient struct {
	conn  net.Conn
	limit time.Duration
}

func (p *patient) Read(b []byte) (int, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(p.limit)); err != nil {
		return 0, err
	}
	return p.conn.Read(b)
}
