package mqtt_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// patience is for what must come.
const patience = 60 * time.Second

// Packet types in the upper half of the first byte, with the flags that they have.
const (
	tCONNECT     = 0x10
	tCONNACK     = 0x20
	tPUBLISH     = 0x30
	tPUBACK      = 0x40
	tPUBREC      = 0x50
	tPUBREL      = 0x62
	tPUBCOMP     = 0x70
	tSUBSCRIBE   = 0x82
	tSUBACK      = 0x90
	tUNSUBSCRIBE = 0xa2
	tUNSUBACK    = 0xb0
	tPINGREQ     = 0xc0
	tPINGRESP    = 0xd0
	tDISCONNECT  = 0xe0
	tAUTH        = 0xf0
)

// client is a connection and what it takes to write and read packets.
type client struct {
	testing.TB
	nc net.Conn
	r  *bufio.Reader
	v  byte // of the protocol

	received map[uint16]bool // messages of QoS 2 between PUBREC and PUBREL
}

// open opens a connection and sends nothing.
func open(t testing.TB, address string, v byte) *client {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return speak(t, nc, v)
}

func speak(t testing.TB, nc net.Conn, v byte) *client {
	t.Cleanup(func() { _ = nc.Close() })
	return &client{TB: t, nc: nc, r: bufio.NewReader(nc), v: v, received: map[uint16]bool{}}
}

// lose ends the connection as a failing network does.
func (c *client) lose() { _ = c.nc.Close() }

// leave ends the connection by DISCONNECT and waits until the broker knows.
func (c *client) leave() {
	c.Helper()
	c.write(c.disconnect(0))
	c.wantEnd()
}

func (c *client) write(parts ...[]byte) {
	c.Helper()
	if _, err := c.nc.Write(join(parts...)); err != nil {
		c.Fatal(err)
	}
}

// offer writes what the other side need not read to the end.
func (c *client) offer(parts ...[]byte) { _, _ = c.nc.Write(join(parts...)) }

// packet is what came.
type packet struct {
	first byte
	body  []byte
}

func (p packet) kind() byte { return p.first & 0xf0 }

// next returns the next packet. A PUBREL for what take has received is none: it is
// answered.
func (c *client) next() (packet, error) {
	for {
		p, err := c.nextPacket()
		if err != nil || p.first != tPUBREL || len(p.body) < 2 || !c.received[binary.BigEndian.Uint16(p.body)] {
			return p, err
		}
		id := binary.BigEndian.Uint16(p.body)
		delete(c.received, id)
		c.offer(ack(tPUBCOMP, id))
	}
}

func (c *client) nextPacket() (p packet, err error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	if p.first, err = c.r.ReadByte(); err != nil {
		return p, err
	}
	length, err := binary.ReadUvarint(c.r)
	if err != nil {
		return p, err
	}
	p.body = make([]byte, length)
	_, err = io.ReadFull(c.r, p.body)
	return p, err
}

// want returns the next packet, which must be of a type.
func (c *client) want(kind byte) packet {
	c.Helper()
	p, err := c.next()
	if err != nil {
		c.Fatalf("waiting for packet 0x%02x: %v", kind, err)
	}
	if p.kind() != kind&0xf0 {
		c.Fatalf("got packet 0x%02x % x, want 0x%02x", p.first, p.body, kind)
	}
	return p
}

// wantEnd expects the end of the connection without another packet.
func (c *client) wantEnd() {
	c.Helper()
	p, err := c.next()
	if err == nil {
		c.Fatalf("got packet 0x%02x % x, want the end", p.first, p.body)
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		c.Fatalf("got %v, want the end", err)
	}
}

// wantCut expects the end of the connection, with MQTT 5 after a DISCONNECT with
// one of the reasons.
func (c *client) wantCut(reasons ...byte) {
	c.Helper()
	if c.v >= 5 {
		if p := c.want(tDISCONNECT); len(p.body) == 0 || !slices.Contains(reasons, p.body[0]) {
			c.Fatalf("DISCONNECT % x, want % x", p.body, reasons)
		}
	}
	c.wantEnd()
}

// sync makes sure that everything sent before was worked off, and that nothing
// has come but what was read already.
func (c *client) sync() {
	c.Helper()
	c.write(pingreq())
	c.want(tPINGRESP)
}

// still reports whether the connection is open and silent: for times that have to
// pass, never as proof that something will not happen later.
func (c *client) still(d time.Duration) bool {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	_, err := c.r.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}
