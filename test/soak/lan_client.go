package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"time"
)

// lanPatience is for what must come.
const lanPatience = 2 * time.Minute

// lanClient is a connection to the broker that does nothing by itself: no client
// library stands between what is judged and the one who judges.
type lanClient struct {
	*tls.Conn
	r       *bufio.Reader
	present bool // the session was there
	forget  func() bool
}

// hello is what CONNECT says.
type hello struct {
	id   string
	kept bool
	will []byte // payload, to lan/{id} with QoS 1; nil for none
}

func (h hello) packet() []byte {
	flags := byte(0xc0) // user name and password
	var will []byte
	if !h.kept {
		flags |= 2
	}
	if h.will != nil {
		flags |= 4 | 1<<3
		will = slices.Concat(mqttText("lan/"+h.id), mqttText(string(h.will)))
	}
	return mqttPacket(0x10, []byte("\x00\x04MQTT\x04"), []byte{flags, 0, 0}, mqttText(h.id), will, mqttText("soak"), mqttText(lanPassword))
}

// connect returns when the broker has let the client in. The end of ctx ends the
// connection.
func (l *lan) connect(ctx context.Context, h hello) (*lanClient, error) {
	limit, cancel := context.WithTimeout(ctx, lanPatience)
	defer cancel()
	nc, err := (&tls.Dialer{Config: l.trust}).DialContext(limit, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	c := &lanClient{Conn: nc.(*tls.Conn), r: bufio.NewReader(nc)}
	c.forget = context.AfterFunc(ctx, c.die)
	_, _ = c.Write(h.packet())
	first, body, err := c.next()
	if err == nil && (first != 0x20 || len(body) != 2 || body[1] != 0) {
		err = fmt.Errorf("refused: 0x%02x % x", first, body)
	}
	if err != nil {
		c.die()
		return nil, fmt.Errorf("connect %s: %w", h.id, err)
	}
	c.present = body[0] == 1
	return c, nil
}

// die ends the connection as a failing network does.
func (c *lanClient) die() { _ = c.NetConn().Close() }

// lose is die, for a connection whose context lives on.
func (c *lanClient) lose() {
	c.forget()
	c.die()
}

// leave ends the connection by DISCONNECT.
func (c *lanClient) leave() {
	_, _ = c.Write([]byte{0xe0, 0})
	_ = c.NetConn().(*net.TCPConn).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(lanPatience))
	_, _ = io.Copy(io.Discard, c.r)
	c.lose()
}

// subscribe waits for SUBACK and leaves what comes behind it.
func (c *lanClient) subscribe(filter string, qos byte) error {
	if _, err := c.Write(mqttPacket(0x82, []byte{0, 1}, mqttText(filter), []byte{qos})); err != nil {
		return err
	}
	first, body, err := c.next()
	if err == nil && (first != 0x90 || len(body) != 3 || body[2] != qos) {
		err = fmt.Errorf("subscribe to %s: 0x%02x % x", filter, first, body)
	}
	return err
}

func (c *lanClient) next() (first byte, body []byte, err error) {
	_ = c.SetReadDeadline(time.Now().Add(lanPatience))
	return readPacket(c.r)
}

// mqttAck is any of the four packets that consist of an identifier.
func mqttAck(first byte, id uint16) []byte {
	return mqttPacket(first, binary.BigEndian.AppendUint16(nil, id))
}

// lanMessage is a PUBLISH.
type lanMessage struct {
	topic   string
	qos     byte
	id      uint16
	payload []byte
}

func parseMessage(first byte, body []byte) (m lanMessage, err error) {
	m.qos = first >> 1 & 3
	head := 2
	if m.qos > 0 {
		head += 2
	}
	if len(body) < head || len(body) < head+int(binary.BigEndian.Uint16(body)) {
		return m, fmt.Errorf("malformed PUBLISH % x", body)
	}
	n := 2 + int(binary.BigEndian.Uint16(body))
	m.topic, m.payload = string(body[2:n]), body[n+head-2:]
	if m.qos > 0 {
		m.id = binary.BigEndian.Uint16(body[n:])
	}
	return m, nil
}
