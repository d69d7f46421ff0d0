package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
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

// openTrace begins the trace of a bus that is to be written to path; without one
// nobody looks on.
func (g *Gateway) openTrace(b config.Bus, path string) (Tracer, error) {
	if path == "" {
		return nil, nil
	}
	t, err := transcript.OpenTrace(TraceConfig(b, path), g.log)
	if err != nil {
		return nil, fmt.Errorf("trace of bus %s: %w", b.ID, err)
	}
	g.traces = append(g.traces, t)
	return t, nil
}

// serialPort is a port with all that a transport makes use of.
type serialPort interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Pause(d time.Duration) error
	SetReadTimeout(d time.Duration) error
	Close() error
}

// tracePort is the port itself when nobody looks on.
func tracePort(p *serial.Port, t Tracer) serialPort {
	if t == nil {
		return p
	}
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

// traceConn is the connection itself when nobody looks on.
func traceConn(c net.Conn, t Tracer) net.Conn {
	if t == nil {
		return c
	}
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
