package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/drivers/serial"
	"sluice/drivers/transcript"
	"sluice/gateway/config"
)

// Tracer looks on at a port: what was handed over for sending at that time, what
// was delivered at that time, and what happened to the port. It must not keep the
// bytes. Its calls come from one goroutine at a time.
type Tracer interface {
	Sent(b []byte, now time.Time)
	Received(b []byte, now time.Time)
	Event(note string, now time.Time)
}

// maxTrace is the size of a trace in bytes; there may be an older one beside it.
const maxTrace = 16 << 20

// TraceConfig is that of a trace of a bus.
func TraceConfig(b config.Bus, path string) transcript.TraceConfig {
	return transcript.TraceConfig{Bus: b.ID, Framing: b.Framing, Line: b.Line, Path: path, Limit: maxTrace}
}

// openTrace begins the trace of a bus that is written to path.
func openTrace(b config.Bus, path string, log *slog.Logger) (*transcript.Trace, error) {
	t, err := transcript.OpenTrace(TraceConfig(b, path), log)
	if err != nil {
		return nil, fmt.Errorf("trace of bus %s: %w", b.ID, err)
	}
	return t, nil
}

// onlookers are those who look on at a port, who come and go.
type onlookers struct {
	mu  sync.Mutex
	all []Tracer
}

func (o *onlookers) add(t Tracer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, t)
}

func (o *onlookers) remove(t Tracer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = slices.DeleteFunc(o.all, func(other Tracer) bool { return other == t })
}

func (o *onlookers) each(tell func(Tracer)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.all {
		tell(t)
	}
}

// Sent implements Tracer, and so do Received and Event.
func (o *onlookers) Sent(b []byte, now time.Time) { o.each(func(t Tracer) { t.Sent(b, now) }) }

// Received implements Tracer.
func (o *onlookers) Received(b []byte, now time.Time) {
	o.each(func(t Tracer) { t.Received(b, now) })
}

// Event implements Tracer.
func (o *onlookers) Event(note string, now time.Time) {
	o.each(func(t Tracer) { t.Event(note, now) })
}

// serialPort is a port with all that a transport makes use of.
type serialPort interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Pause(d time.Duration) error
	SetReadTimeout(d time.Duration) error
	Close() error
}

// tracePort lets t look on at a port.
func tracePort(p *serial.Port, t Tracer) serialPort {
	t.Event("port open: "+p.Path(), time.Now())
	return tracedPort{p, t}
}

// tracedPort is a serial port that somebody looks on at.
type tracedPort struct {
	*serial.Port
	tracer Tracer
}

func (p tracedPort) Read(b []byte) (int, error) { return traceRead(p.Port.Read, b, p.tracer) }

func (p tracedPort) Write(b []byte) (int, error) { return traceWrite(p.Port.Write, b, p.tracer) }

// traceConn lets t look on at a connection.
func traceConn(c net.Conn, t Tracer) net.Conn {
	t.Event("connected to "+c.RemoteAddr().String(), time.Now())
	return tracedConn{c, t}
}

// tracedConn is a connection that somebody looks on at.
type tracedConn struct {
	net.Conn
	tracer Tracer
}

func (c tracedConn) Read(b []byte) (int, error) { return traceRead(c.Conn.Read, b, c.tracer) }

func (c tracedConn) Write(b []byte) (int, error) { return traceWrite(c.Conn.Write, b, c.tracer) }

func traceRead(read func([]byte) (int, error), b []byte, t Tracer) (int, error) {
	n, err := read(b)
	if n > 0 {
		t.Received(b[:n], time.Now())
	}
	traceError(err, t)
	return n, err
}

func traceWrite(write func([]byte) (int, error), b []byte, t Tracer) (int, error) {
	t.Sent(b, time.Now())
	n, err := write(b)
	traceError(err, t)
	return n, err
}

// traceError notes why a port cannot be used any more. A deadline that has passed is
// no reason.
func traceError(err error, t Tracer) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Event(err.Error(), time.Now())
	}
}
