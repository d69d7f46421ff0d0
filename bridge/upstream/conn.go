package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"sluice/broker/topic"
)

// Conn is one MQTT 3.1.1 connection on which nothing happens by itself: whoever
// holds it takes each step, and knows after each what the broker has. Upstream
// keeps its session. It is for one goroutine, and of no use any more after an error
// but to be closed.
type Conn struct {
	raw     net.Conn // below TLS and WebSocket
	conn    net.Conn
	cfg     Config
	stop    func() bool                // ctx has no hold any more
	packets chan packets.ControlPacket // closed at the end
	err     error                      // why; to be read then
	late    []*packets.PublishPacket   // came while something else was waited for
}

// Delivery is a message that came down and waits for Ack.
type Delivery struct {
	topic.Message
	ID uint16
}

// Numbered is a message with the identifier of its packet.
type Numbered struct {
	topic.Message
	ID    uint16 // not 0
	Again bool   // it may have been published under this identifier before
}

// answerTime bounds the wait for each answer, and for each packet to leave.
const answerTime = 30 * time.Second

var errNoAnswer = errors.New("upstream does not answer")

// maxPacket is the longest packet taken: an envelope, or a message as long as a
// lane takes them.
const maxPacket = 2 << 20

// Connect goes on with the session that upstream has kept under this client
// identifier, and says whether there was one, or, when clean, ends that. The
// connection is cut when ctx ends. Either way the path is used up.
func (p *Path) Connect(ctx context.Context, clean bool) (c *Conn, kept bool, err error) {
	opening, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	conn, err := p.inside(opening)
	if err != nil {
		return nil, false, err
	}
	c = &Conn{raw: p.raw, conn: conn, cfg: p.cfg, packets: make(chan packets.ControlPacket)}
	c.stop = context.AfterFunc(ctx, func() { p.raw.Close() })
	go c.read(&patient{conn, silence(p.cfg.KeepAlive)})
	kept, err = c.connect(clean)
	if err != nil {
		c.Close()
		return nil, false, causeOf(ctx, err)
	}
	return c, kept, nil
}

// read hands on what comes in until the connection ends. Brokers send the answers to
// a batch one by one, and most of them no further one before the one before has been
// acknowledged, which the kernel likes to put off for 40 ms.
func (c *Conn) read(from io.Reader) {
	defer close(c.packets)
	in := bufio.NewReader(from)
	for {
		p, err := next(in)
		if err != nil {
			c.err = readable(err)
			return
		}
		prompt(c.raw)
		c.packets <- p
	}
}

// next returns the next packet.
func next(in *bufio.Reader) (packets.ControlPacket, error) {
	header, body, err := peekHeader(in)
	if err != nil {
		return nil, err
	}
	if body > maxPacket {
		return nil, fmt.Errorf("upstream sent a packet of %d bytes, at most %d are taken", body, maxPacket)
	}
	return packets.ReadPacket(io.LimitReader(in, int64(len(header)+body)))
}

func (c *Conn) connect(clean bool) (kept bool, err error) {
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion = "MQTT", 4
	hello.ClientIdentifier, hello.Keepalive = c.cfg.ClientID, uint16(c.cfg.KeepAlive/time.Second)
	hello.CleanSession = clean
	hello.Username, hello.UsernameFlag = c.cfg.Username, c.cfg.Username != ""
	hello.Password, hello.PasswordFlag = []byte(c.cfg.Password), c.cfg.Password != ""
	if err := c.send(hello); err != nil {
		return false, err
	}
	answer, err := c.receive(answerTime)
	if err != nil {
		return false, fmt.Errorf("CONNECT: %w", err)
	}
	ack, ok := answer.(*packets.ConnackPacket)
	switch {
	case !ok:
		return false, misplaced(answer)
	case ack.ReturnCode != packets.Accepted:
		return false, refusal(ack.ReturnCode, c.cfg.ClientID)
	}
	return ack.SessionPresent, nil
}

// Subscribe asks for what matches filter, at QoS 1.
func (c *Conn) Subscribe(filter string) error {
	ask := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	ask.MessageID, ask.Topics, ask.Qoss = 1, []string{filter}, []byte{1}
	if err := c.send(ask); err != nil {
		return err
	}
	answer, err := c.answer()
	if err != nil {
		return fmt.Errorf("SUBSCRIBE: %w", err)
	}
	ack, ok := answer.(*packets.SubackPacket)
	switch {
	case !ok:
		return misplaced(answer)
	case len(ack.ReturnCodes) != 1 || ack.ReturnCodes[0] > 2:
		return fmt.Errorf("upstream refuses a subscription to %s", filter)
	}
	return nil
}

// Next returns the next message that came down, or false when none did for so long.
func (c *Conn) Next(wait time.Duration) (Delivery, bool, error) {
	if len(c.late) == 0 {
		got, err := c.receive(wait)
		if errors.Is(err, errNoAnswer) {
			return Delivery{}, false, nil
		} else if err != nil {
			return Delivery{}, false, err
		}
		p, ok := got.(*packets.PublishPacket)
		if !ok {
			return Delivery{}, false, misplaced(got)
		}
		c.late = append(c.late, p)
	}
	p := c.late[0]
	c.late = c.late[1:]
	m := topic.Message{Topic: p.TopicName, Payload: p.Payload, QoS: p.Qos, Retain: p.Retain}
	return Delivery{m, p.MessageID}, true, nil
}

// Ack acknowledges what came down.
func (c *Conn) Ack(d Delivery) error {
	if d.QoS == 0 {
		return nil
	}
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = d.ID
	return c.send(ack)
}

// Ping asks the broker for a sign of life and waits for it.
func (c *Conn) Ping() error {
	if err := c.send(packets.NewControlPacket(packets.Pingreq)); err != nil {
		return err
	}
	answer, err := c.answer()
	if err != nil {
		return err
	}
	if _, ok := answer.(*packets.PingrespPacket); !ok {
		return misplaced(answer)
	}
	return nil
}

// Publish sends a batch in order with QoS 1 or 2 and returns when the broker has all
// of it. With QoS 2 it keeps the identifiers until Release: what is published again
// under one of them, on this connection or a later one of the session, is
// recognized [MQTT-4.3.3-2]. Some brokers take no more than 20 messages between the
// two.
func (c *Conn) Publish(qos byte, batch []Numbered) error {
	var out bytes.Buffer
	ids := make([]uint16, 0, len(batch))
	for _, m := range batch {
		p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
		p.TopicName, p.Payload, p.Retain, p.Qos, p.MessageID = m.Topic, m.Payload, m.Retain, qos, m.ID
		p.Dup = m.Again
		p.Write(&out)
		ids = append(ids, m.ID)
	}
	kind := byte(packets.Puback)
	if qos == 2 {
		kind = packets.Pubrec
	}
	return c.exchange(out.Bytes(), kind, ids)
}

// Release ends QoS 2 for these identifiers: the broker passes the messages on if it
// has not yet, and forgets them.
func (c *Conn) Release(ids []uint16) error {
	var out bytes.Buffer
	for _, id := range ids {
		p := packets.NewControlPacket(packets.Pubrel).(*packets.PubrelPacket)
		p.MessageID = id
		p.Write(&out)
	}
	return c.exchange(out.Bytes(), packets.Pubcomp, ids)
}

// exchange sends packets and waits for one answer of a kind to each.
func (c *Conn) exchange(out []byte, kind byte, ids []uint16) error {
	if err := c.write(out); err != nil {
		return err
	}
	open := map[uint16]bool{}
	for _, id := range ids {
		open[id] = true
	}
	for len(open) > 0 {
		answer, err := c.answer()
		if err != nil {
			return err
		}
		id := answer.Details().MessageID
		switch got := kindOf(answer); {
		case kind == packets.Pubrec && got == packets.Puback:
			return errors.New("upstream takes QoS 2 for QoS 1")
		case got != kind || !open[id]:
			return misplaced(answer)
		}
		delete(open, id)
	}
	return nil
}

func kindOf(p packets.ControlPacket) byte {
	switch p.(type) {
	case *packets.PubackPacket:
		return packets.Puback
	case *packets.PubrecPacket:
		return packets.Pubrec
	case *packets.PubcompPacket:
		return packets.Pubcomp
	}
	return 0
}

// answer returns the next packet that is no message.
func (c *Conn) answer() (packets.ControlPacket, error) {
	for {
		p, err := c.receive(answerTime)
		m, ok := p.(*packets.PublishPacket)
		if err != nil || !ok {
			return p, err
		}
		if len(c.late) == maxOwed {
			return nil, errOwed
		}
		c.late = append(c.late, m)
	}
}

// receive returns the next packet.
func (c *Conn) receive(wait time.Duration) (packets.ControlPacket, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case p, ok := <-c.packets:
		if !ok {
			return nil, c.err
		}
		return p, nil
	case <-timer.C:
		return nil, errNoAnswer
	}
}

func (c *Conn) send(p packets.ControlPacket) error {
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		return err
	}
	return c.write(out.Bytes())
}

func (c *Conn) write(b []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if _, err := c.conn.Write(b); err != nil {
		return fmt.Errorf("sending to upstream: %w", err)
	}
	return nil
}

// Close ends the connection at once. The session stays, and there is no will.
func (c *Conn) Close() {
	c.stop()
	c.conn.Close()
	for range c.packets { // until read has ended
	}
}

func misplaced(p packets.ControlPacket) error {
	return fmt.Errorf("upstream sent a packet that has no place here: %s", p)
}

// causeOf returns why ctx ended if that is why there was an error.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
