package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Opcodes of frames (RFC 6455, section 5.2).
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
)

// Statuses of closing (section 7.4.1).
const (
	statusNormal      = 1000
	statusProtocol    = 1002
	statusUnsupported = 1003
)

const (
	finalBit    = 0x80
	reservedBit = 0x70
	maskBit     = 0x80
	maxControl  = 125 // bytes of a control frame
)

// fault is why a connection is closed by us.
type fault struct {
	status uint16
	what   string
}

func (f fault) Error() string { return "websocket: " + f.what }

// Conn is the stream of bytes in the binary messages of a client. Reading answers
// pings; where messages begin and end does not matter [MQTT-6.0.0-2]. One
// goroutine may read while others write.
type Conn struct {
	net.Conn
	r *bufio.Reader

	// Of the goroutine that reads.
	left   uint64 // bytes of the frame at hand
	mask   [4]byte
	masked int  // bytes of the frame unmasked so far, modulo 4
	inside bool // a message has begun and goes on in another frame
	ended  error

	mu     sync.Mutex // held while a frame is written
	closed bool       // the close frame was sent
}

// Read returns io.EOF after the client's close frame, which it has answered.
func (c *Conn) Read(p []byte) (int, error) {
	if c.ended != nil {
		return 0, c.ended
	}
	for c.left == 0 {
		if err := c.next(); err != nil {
			return 0, c.end(err)
		}
	}
	n, err := c.r.Read(p[:min(uint64(len(p)), c.left)])
	c.unmask(p[:n])
	c.left -= uint64(n)
	return n, err
}

// end answers a close frame, or says what is wrong. A failed read is neither.
func (c *Conn) end(err error) error {
	f, faulty := errors.AsType[fault](err)
	switch {
	case faulty:
		_ = c.sendClose(f.status)
	case errors.Is(err, io.EOF):
		_ = c.sendClose(statusNormal)
	default:
		return err
	}
	c.ended = err
	return err
}

func (c *Conn) unmask(p []byte) {
	for i := range p {
		p[i] ^= c.mask[(c.masked+i)&3]
	}
	c.masked = (c.masked + len(p)) & 3
}

// next reads the head of a frame, and all of a control frame.
func (c *Conn) next() error {
	var head [2]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return err
	}
	op, final := head[0]&0x0f, head[0]&finalBit != 0
	if head[0]&reservedBit != 0 || head[1]&maskBit == 0 {
		return fault{statusProtocol, "a frame with reserved bits or without mask"}
	}
	if op >= opClose {
		return c.control(op, int(head[1]&^maskBit), final)
	}
	switch {
	case op == opText:
		return fault{statusUnsupported, "a text frame: MQTT is binary"} // [MQTT-6.0.0-1]
	case op > opBinary || (op == opContinue) != c.inside:
		return fault{statusProtocol, fmt.Sprintf("a frame of type %d out of place", op)}
	}
	c.inside = !final
	return c.length(uint64(head[1] &^ maskBit))
}

// length reads what stands between the first two bytes and the payload.
func (c *Conn) length(n uint64) error {
	var ext [8]byte
	size := map[uint64]int{126: 2, 127: 8}[n]
	if _, err := io.ReadFull(c.r, ext[8-size:]); err != nil {
		return err
	}
	if size > 0 {
		n = binary.BigEndian.Uint64(ext[:])
	}
	if n>>63 != 0 {
		return fault{statusProtocol, "a frame longer than can be"}
	}
	c.left, c.masked = n, 0
	_, err := io.ReadFull(c.r, c.mask[:])
	return err
}

func (c *Conn) control(op byte, n int, final bool) error {
	if n > maxControl || !final || op > opPong {
		return fault{statusProtocol, "a malformed control frame"}
	}
	body := make([]byte, n)
	c.masked = 0
	_, err := io.ReadFull(c.r, c.mask[:])
	if err == nil {
		_, err = io.ReadFull(c.r, body)
	}
	if err != nil {
		return err
	}
	c.unmask(body)
	switch op {
	case opClose:
		return io.EOF
	case opPing:
		return c.send(opPong, body)
	}
	return nil
}

// Write sends p as one binary message.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.send(opBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteMessages sends each of them as a binary message, at once.
func (c *Conn) WriteMessages(messages [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	var frames []byte
	for _, m := range messages {
		frames = appendFrame(frames, opBinary, m)
	}
	if len(frames) == 0 {
		return nil
	}
	_, err := c.Conn.Write(frames)
	return err
}

func (c *Conn) send(op byte, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	return c.write(op, body)
}

func (c *Conn) sendClose(status uint16) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.write(opClose, binary.BigEndian.AppendUint16(nil, status))
}

func (c *Conn) write(op byte, body []byte) error {
	_, err := c.Conn.Write(appendFrame(make([]byte, 0, 10+len(body)), op, body))
	return err
}

func appendFrame(b []byte, op byte, body []byte) []byte {
	b = append(b, finalBit|op)
	switch n := len(body); {
	case n <= maxControl:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, body...)
}

// CloseWrite sends a close frame and ends the stream to the client.
func (c *Conn) CloseWrite() error {
	if err := c.sendClose(statusNormal); err != nil {
		return err
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
