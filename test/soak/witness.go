package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// id names a message: who published it, and its place among theirs.
type id struct {
	publisher string
	number    int
}

// payload is what a message says, of about 60 bytes.
func (m id) payload() []byte { return fmt.Appendf(nil, "%s %d %040d", m.publisher, m.number, 0) }

func parseID(payload []byte) (m id, ok bool) {
	n, _ := fmt.Sscan(string(payload), &m.publisher, &m.number)
	return m, n == 2
}

// witness stands between the link and the brokers upstream and writes down what
// passes: what one of them loses after its PUBACK is not the gateway's loss.
type witness struct {
	mu       sync.Mutex
	brokers  []string // addresses; the first that answers is taken
	conns    int
	arrivals []arrival
	settled  map[id]bool // with a PUBACK of upstream
}

// arrival is a PUBLISH that came over the link.
type arrival struct {
	id
	conn  int
	bytes int
}

func newWitness() *witness { return &witness{settled: map[id]bool{}} }

// serve relays one connection. It is what the link calls.
func (w *witness) serve(far net.Conn) {
	defer far.Close()
	near, err := w.dial()
	if err != nil {
		return
	}
	defer near.Close()
	w.mu.Lock()
	w.conns++
	c := passage{witness: w, number: w.conns, open: map[uint16]id{}}
	w.mu.Unlock()
	var up sync.WaitGroup
	up.Go(func() {
		pass(near, far, c.published)
		near.Close()
	})
	pass(far, near, c.acknowledged)
	far.Close()
	up.Wait()
}

func (w *witness) dial() (net.Conn, error) {
	w.mu.Lock()
	brokers := w.brokers
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	for _, address := range brokers {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// passage is one connection.
type passage struct {
	*witness
	number int
	open   map[uint16]id // published with this packet identifier; guarded by mu
}

// The packets of MQTT 3.1.1 that count here, section 2.2.1.
const (
	publishType = 3
	pubackType  = 4
	maxPacket   = 1 << 20
)

func (c *passage) published(first byte, body []byte) {
	if first>>4 != publishType || first&6 == 0 || len(body) < 4 {
		return
	}
	n := 2 + int(binary.BigEndian.Uint16(body))
	if len(body) < n+2 {
		return
	}
	m, ok := parseID(body[n+2:])
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arrivals = append(c.arrivals, arrival{m, c.number, len(body)})
	c.open[binary.BigEndian.Uint16(body[n:])] = m
}

func (c *passage) acknowledged(first byte, body []byte) {
	if first>>4 != pubackType || len(body) != 2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m, ok := c.open[binary.BigEndian.Uint16(body)]; ok {
		c.settled[m] = true
		delete(c.open, binary.BigEndian.Uint16(body))
	}
}

// pass moves packets until either side ends, and shows each before it goes on.
func pass(to io.Writer, from io.Reader, show func(first byte, body []byte)) {
	for in := bufio.NewReader(from); ; {
		first, err := in.ReadByte()
		if err != nil {
			return
		}
		n, err := binary.ReadUvarint(in)
		if err != nil || n > maxPacket {
			return
		}
		packet := binary.AppendUvarint([]byte{first}, n)
		head := len(packet)
		packet = append(packet, make([]byte, n)...)
		if _, err := io.ReadFull(in, packet[head:]); err != nil {
			return
		}
		show(first, packet[head:])
		if _, err := to.Write(packet); err != nil {
			return
		}
	}
}
