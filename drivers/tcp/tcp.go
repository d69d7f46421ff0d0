// Package tcp carries Modbus over TCP: Modbus TCP with its numbered frames, and
// the bare connections to converters, over which the serial framings travel. A
// bus owns a connection and gives it one request at a time; the package knows
// nothing of values, and dials only when it is told to.
package tcp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"sluice/drivers/modbus"
)

// The header of a frame (Modbus Messaging on TCP/IP V1.0b, 3.1.3): number,
// protocol and length, two bytes each, and the unit, which the length counts.
const (
	headerSize = 7
	unitAt     = 6
	maxFrame   = 260
)

// A device whose program hangs may still acknowledge at the level of TCP. After
// so long without a byte, and so many requests, a new connection is tried.
const (
	deafTime     = 30 * time.Second
	deafRequests = 3
)

var errDeaf = fmt.Errorf("connected, but nothing has come for %v", deafTime)

// Transport performs exchanges of Modbus TCP on one connection. It has one user at
// a time.
type Transport struct {
	conn  net.Conn
	in    *bufio.Reader // keeps the part of a frame that came too late
	heard time.Time     // when anything came last
	asked int           // requests since
	quiet time.Time     // when the last exchange ended
	took  time.Duration // from the last request to its reply
}

// New returns a transport on c, which it owns from then on.
func New(c net.Conn) *Transport {
	return &Transport{conn: c, in: bufio.NewReaderSize(c, 2*maxFrame), heard: time.Now()}
}

// Framing is modbus.TCP.
func (t *Transport) Framing() modbus.Framing { return modbus.TCP }

// Close closes the connection.
func (t *Transport) Close() error { return t.conn.Close() }

// NotBefore is always zero: a late reply is known by its number.
func (t *Transport) NotBefore(modbus.UnitID) time.Time { return time.Time{} }

// Latency is how long the last reply took, the way there and back included; 0
// after an exchange that failed. It is for the user of the transport.
func (t *Transport) Latency() time.Duration { return t.took }

// Exchange sends the frame adu and returns the reply with its number, which has
// to be there when timing.Timeout has passed. Replies to older requests are
// dropped. Everything that leaves the connection unusable is fault Medium.
func (t *Transport) Exchange(adu []byte, timing modbus.Timing) ([]byte, error) {
	if len(adu) <= headerSize || len(adu) > maxFrame {
		return nil, &modbus.Error{Fault: modbus.Unsupported, Err: fmt.Errorf("a request of %d bytes is no frame", len(adu))}
	}
	defer func() { t.quiet = time.Now() }()
	unit := modbus.UnitID(adu[unitAt])
	t.took = 0
	if err := t.send(adu, timing); err != nil {
		return nil, &modbus.Error{Fault: modbus.Medium, Unit: unit, Err: explain(err)}
	}
	sent := time.Now()
	reply, err := t.receive(adu, timing)
	if err == nil {
		t.took = time.Since(sent)
	}
	return reply, err
}

func (t *Transport) send(adu []byte, timing modbus.Timing) error {
	if pause := time.Until(t.quiet.Add(timing.Gap)); pause > 0 {
		<-time.After(pause)
	}
	t.asked++
	t.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := t.conn.Write(adu)
	return err
}

// receive reads frames until the reply to adu is there.
func (t *Transport) receive(adu []byte, timing modbus.Timing) ([]byte, error) {
	unit := modbus.UnitID(adu[unitAt])
	t.conn.SetReadDeadline(time.Now().Add(timing.Timeout))
	for late := 0; ; {
		frame, err := t.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, t.silent(unit, timing, late)
		case err != nil:
			return nil, &modbus.Error{Fault: modbus.Medium, Unit: unit, Err: explain(err)}
		case binary.BigEndian.Uint16(frame) != binary.BigEndian.Uint16(adu):
			late++
		case frame[unitAt] != adu[unitAt]:
			return nil, &modbus.Error{Fault: modbus.Frame, Unit: unit, Err: fmt.Errorf("unit %d answered in its place", frame[unitAt])}
		default:
			return frame, nil
		}
	}
}

// next returns the next whole frame. What has come of one is kept when the
// deadline passes.
func (t *Transport) next() ([]byte, error) {
	header, err := t.peek(headerSize)
	if err != nil {
		return nil, err
	}
	size := unitAt + int(binary.BigEndian.Uint16(header[4:]))
	if protocol := binary.BigEndian.Uint16(header[2:]); protocol != 0 || size <= headerSize || size > maxFrame {
		return nil, fmt.Errorf("% x is no header of Modbus TCP; a converter may need framing: rtu", header)
	}
	frame, err := t.peek(size)
	if err != nil {
		return nil, err
	}
	frame = bytes.Clone(frame)
	t.in.Discard(size)
	return frame, nil
}

// peek waits until n bytes are there.
func (t *Transport) peek(n int) ([]byte, error) {
	had := t.in.Buffered()
	b, err := t.in.Peek(n)
	if t.in.Buffered() > had {
		t.heard, t.asked = time.Now(), 0
	}
	return b, err
}

// silent is the error of an exchange without a reply.
func (t *Transport) silent(unit modbus.UnitID, timing modbus.Timing, late int) error {
	e := &modbus.Error{Fault: modbus.Silent, Unit: unit, Err: fmt.Errorf("no reply within %v", timing.Timeout)}
	switch {
	case time.Since(t.heard) >= deafTime && t.asked >= deafRequests:
		e.Fault, e.Err = modbus.Medium, errDeaf
	case late > 0:
		e.Err = fmt.Errorf("no reply within %v, but %d to other requests", timing.Timeout, late)
	}
	return e
}
