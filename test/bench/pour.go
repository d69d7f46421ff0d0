package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// mqttClient is the least MQTT 3.1.1 client that can publish and receive.
type mqttClient struct {
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
}

func dialClient(ctx context.Context, port int, id string) (*mqttClient, error) {
	return connectClient(ctx, port, id, 2)
}

// dialSession is dialClient for one whose session outlives its connection.
func dialSession(ctx context.Context, port int, id string) (*mqttClient, error) {
	return connectClient(ctx, port, id, 0)
}

func connectClient(ctx context.Context, port int, id string, flags byte) (*mqttClient, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	c := &mqttClient{conn, bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 64<<10)}
	packet := append([]byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, flags, 0, 0}, 0, byte(len(id)))
	if err := c.ask(append(packet, id...)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *mqttClient) subscribe(filter string, qos byte) error {
	packet := append([]byte{0x82, byte(5 + len(filter)), 0, 1, 0, byte(len(filter))}, filter...)
	return c.ask(append(packet, qos))
}

// ask sends a packet and reads the answer.
func (c *mqttClient) ask(packet []byte) error {
	if _, err := c.conn.Write(packet); err != nil {
		return err
	}
	_, _, err := c.packet(nil)
	return err
}

// packet reads the next one; its body stands in buf when that is long enough.
func (c *mqttClient) packet(buf []byte) (first byte, body []byte, err error) {
	if first, err = c.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(c.in)
	if err != nil {
		return 0, nil, err
	}
	if int(length) > cap(buf) {
		buf = make([]byte, length)
	}
	_, err = io.ReadFull(c.in, buf[:length])
	return first, buf[:length], err
}

// poured is what went through a broker.
type poured struct {
	deliveries int64
	took       time.Duration
	latencies  []time.Duration // sorted
}

func (p poured) percentile(n int) time.Duration {
	if len(p.latencies) == 0 {
		return 0
	}
	return p.latencies[(len(p.latencies)-1)*n/100]
}

// inTransit is how many deliveries may be outstanding: enough to keep a broker
// busy, and fewer than it would drop.
const inTransit = 10_000

// stream is one run of a flow.
type stream struct {
	flow
	port    int
	rate    int           // messages a second in all; 0: as many as possible
	credit  chan struct{} // one for each message that may be sent
	arrived atomic.Int64

	mu        sync.Mutex
	latencies []time.Duration
}

// pour sends messages for a span and returns what arrived in it.
func pour(ctx context.Context, port int, f flow, span time.Duration, rate int) (poured, error) {
	s := &stream{flow: f, port: port, rate: rate, credit: make(chan struct{}, inTransit/f.subscribers)}
	for range cap(s.credit) {
		s.credit <- struct{}{}
	}
	var clients []*mqttClient
	for i := range f.subscribers + f.publishers {
		c, err := dialClient(ctx, port, fmt.Sprintf("c%d-%d", rate, i))
		if err != nil {
			return poured{}, err
		}
		clients = append(clients, c)
		if i < f.subscribers {
			if err := c.subscribe("bench/#", f.qos); err != nil {
				return poured{}, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var running sync.WaitGroup
	start := time.Now()
	for i, c := range clients {
		if i < f.subscribers {
			running.Go(func() { s.receive(c, i == 0) })
			continue
		}
		running.Go(func() { s.publish(ctx, c, i) })
		if f.qos > 0 {
			running.Go(func() { c.discard() })
		}
	}
	<-ctx.Done()
	p := poured{deliveries: s.arrived.Load(), took: time.Since(start)}
	for _, c := range clients {
		c.conn.Close()
	}
	running.Wait()
	slices.Sort(s.latencies)
	p.latencies = s.latencies
	return p, nil
}

// publish sends messages as far as there is credit, or at the rate.
func (s *stream) publish(ctx context.Context, c *mqttClient, number int) {
	name := fmt.Sprintf("bench/%d", number)
	var pause <-chan time.Time
	if s.rate > 0 {
		tick := time.NewTicker(time.Second * time.Duration(s.publishers) / time.Duration(s.rate))
		defer tick.Stop()
		pause = tick.C
	}
	payload := make([]byte, brokerPayload)
	for id := uint16(1); ; id = max(id+1, 1) {
		if s.rate > 0 {
			select {
			case <-pause:
			case <-ctx.Done():
				return
			}
		}
		if !s.admitted(ctx, c) {
			return
		}
		binary.LittleEndian.PutUint64(payload, uint64(time.Now().UnixNano()))
		c.write(name, payload, s.qos, id)
		if s.rate > 0 && c.out.Flush() != nil {
			return
		}
	}
}

// admitted takes a credit, and lets go what is written before it waits for one.
func (s *stream) admitted(ctx context.Context, c *mqttClient) bool {
	select {
	case <-s.credit:
		return true
	default:
	}
	if c.out.Flush() != nil {
		return false
	}
	select {
	case <-s.credit:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *mqttClient) write(name string, payload []byte, qos byte, id uint16) {
	length := 2 + len(name) + len(payload)
	if qos > 0 {
		length += 2
	}
	head := append([]byte{0x30 | qos<<1, byte(length), 0, byte(len(name))}, name...)
	if qos > 0 {
		head = binary.BigEndian.AppendUint16(head, id)
	}
	c.out.Write(head) // an error stays with the writer
	c.out.Write(payload)
}

// receive reads and acknowledges messages until the connection ends. The first
// subscriber gives credit back.
func (s *stream) receive(c *mqttClient, gives bool) {
	var took []time.Duration
	buf := make([]byte, 256)
	for {
		if c.in.Buffered() == 0 && c.out.Flush() != nil {
			break
		}
		first, body, err := c.packet(buf)
		if err != nil {
			break
		}
		if first>>4 != 3 {
			continue
		}
		s.arrived.Add(1)
		name := 2 + int(binary.BigEndian.Uint16(body))
		if s.qos > 0 {
			c.out.Write([]byte{0x40, 2, body[name], body[name+1]})
		}
		if s.rate > 0 {
			sent := binary.LittleEndian.Uint64(body[len(body)-brokerPayload:])
			took = append(took, time.Duration(time.Now().UnixNano()-int64(sent)))
		}
		if gives {
			select {
			case s.credit <- struct{}{}:
			default: // a message that was on its way when the run before ended
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latencies = append(s.latencies, took...)
}

// discard reads acknowledgements.
func (c *mqttClient) discard() {
	_, _ = io.Copy(io.Discard, c.in)
}
