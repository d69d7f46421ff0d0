// Package remote is a broker upstream for simulations and benchmarks: it takes
// what MQTT 3.1.1 clients publish with QoS 0 and 1, in order, and acknowledges
// it, as far as the test lets it. It routes nothing to anybody but what the test
// sends, and knows nothing of the link.
package remote

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Message is one PUBLISH that arrived.
type Message struct {
	Conn    int // counted from 1
	Topic   string
	Payload []byte
	Retain  bool
	At      time.Time
}

// Verdict is what becomes of a message.
type Verdict int

const (
	Acknowledge Verdict = iota
	Withhold            // no PUBACK for it, and for none behind it on this connection
	HangUp
)

// Broker serves connections. Its fields are set before the first.
type Broker struct {
	Judge func(Message) Verdict // nil: all are acknowledged; called by one goroutine at a time

	mu    sync.Mutex
	conns int
}

// Packet types of MQTT 3.1.1, section 2.2.1.
const (
	connect    = 1
	publish    = 3
	subscribe  = 8
	pingreq    = 12
	disconnect = 14
)

// Serve speaks to one client until the connection ends, and closes it.
func (b *Broker) Serve(conn net.Conn) {
	defer conn.Close()
	b.mu.Lock()
	b.conns++
	c := &client{broker: b, number: b.conns, conn: conn, in: bufio.NewReader(conn)}
	b.mu.Unlock()
	for c.step() == nil {
	}
}

type client struct {
	broker    *Broker
	number    int
	conn      net.Conn
	in        *bufio.Reader
	keepAlive time.Duration
	silent    bool
}

var errEnd = errors.New("end of connection")

// step reads one packet, which has to be whole in time, and answers it.
func (c *client) step() error {
	patience := 30 * time.Second // for CONNECT
	if c.keepAlive > 0 {
		patience = c.keepAlive * 3 / 2
	}
	c.conn.SetReadDeadline(time.Now().Add(patience))
	first, body, err := c.read()
	if err != nil {
		return err
	}
	switch first >> 4 {
	case connect:
		if len(body) < 10 {
			return errEnd
		}
		c.keepAlive = time.Duration(binary.BigEndian.Uint16(body[8:])) * time.Second
		return c.write(0x20, 2, 0, 0)
	case publish:
		return c.published(first, body)
	case subscribe:
		return c.write(0x90, 3, body[0], body[1], 1)
	case pingreq:
		return c.write(0xd0, 0)
	case disconnect:
		return errEnd
	}
	return nil
}

func (c *client) published(first byte, body []byte) error {
	n := 2 + int(binary.BigEndian.Uint16(body))
	m := Message{Conn: c.number, Topic: string(body[2:n]), Retain: first&1 != 0, At: time.Now()}
	id := body[n:]
	if first&6 != 0 {
		n += 2
	}
	m.Payload = body[n:]
	c.broker.mu.Lock()
	verdict := Acknowledge
	if c.broker.Judge != nil {
		verdict = c.broker.Judge(m)
	}
	c.broker.mu.Unlock()
	switch verdict {
	case HangUp:
		return errEnd
	case Withhold:
		c.silent = true
	}
	if c.silent || first&6 == 0 {
		return nil
	}
	return c.write(0x40, 2, id[0], id[1])
}

// read returns a packet's first byte and what follows its length.
func (c *client) read() (byte, []byte, error) {
	first, err := c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(c.in)
	if err != nil || n > 1<<20 {
		return 0, nil, errors.Join(errEnd, err)
	}
	body := make([]byte, n)
	_, err = io.ReadFull(c.in, body)
	return first, body, err
}

func (c *client) write(b ...byte) error {
	_, err := c.conn.Write(b)
	return err
}
