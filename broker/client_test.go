package broker_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/topic"
)

const patience = time.Minute // for what must come, on a busy machine too

// start runs a broker on a free port and stops it with the test.
func start(t *testing.T, cfg broker.Config, taps ...broker.Tap) *broker.Broker {
	t.Helper()
	b, _ := startWithStop(t, cfg, taps...)
	return b
}

func startWithStop(t *testing.T, cfg broker.Config, taps ...broker.Tap) (*broker.Broker, func() error) {
	t.Helper()
	if cfg.Listen == nil {
		cfg.Listen = []broker.Listener{broker.Local("127.0.0.1:0")}
	}
	b, err := broker.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, tap := range taps {
		b.Tap(tap)
	}
	return b, running(t, b)
}

// running runs a broker and returns how to stop it, at the end of the test at last.
func running(t *testing.T, b *broker.Broker) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = func() (err error) {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	<-b.Ready()
	return stop
}

// until waits for something that must happen.
func until(t testing.TB, happened func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for tick := time.Tick(time.Millisecond); !happened(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("did not happen")
		}
	}
}

// client is an MQTT client that does nothing by itself.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
	v  byte
}

type option func(*packets.Packet)

func version(v byte) option { return func(pk *packets.Packet) { pk.ProtocolVersion = v } }
func session(id string, clean bool) option {
	return func(pk *packets.Packet) {
		pk.Connect.ClientIdentifier, pk.Connect.Clean = id, clean
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 3600, !clean
	}
}

func will(m topic.Message) option {
	return func(pk *packets.Packet) {
		pk.Connect.WillFlag, pk.Connect.WillTopic, pk.Connect.WillPayload = true, m.Topic, m.Payload
		pk.Connect.WillQos, pk.Connect.WillRetain = m.QoS, m.Retain
	}
}

// connect opens a connection and expects CONNACK 0.
func connect(t testing.TB, b *broker.Broker, options ...option) *client {
	t.Helper()
	c, ack := tryConnect(t, b, options...)
	if ack.ReasonCode != 0 {
		t.Fatalf("CONNACK 0x%02x", ack.ReasonCode)
	}
	return c
}

func tryConnect(t testing.TB, b *broker.Broker, options ...option) (*client, packets.Packet) {
	t.Helper()
	nc, err := net.Dial("tcp", b.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	return converse(t, nc, options...)
}

// converse sends CONNECT on an open connection and waits for CONNACK.
func converse(t testing.TB, nc net.Conn, options ...option) (*client, packets.Packet) {
	t.Helper()
	t.Cleanup(func() { _ = nc.Close() })
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4,
		Connect: packets.ConnectParams{ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60}}
	for _, o := range options {
		o(&pk)
	}
	c := &client{t: t, nc: nc, r: bufio.NewReader(nc), v: pk.ProtocolVersion}
	c.send(pk)
	return c, c.want(packets.Connack)
}

func (c *client) send(pks ...packets.Packet) {
	c.t.Helper()
	if _, err := c.nc.Write(c.encode(pks...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) encode(pks ...packets.Packet) []byte {
	c.t.Helper()
	var buf bytes.Buffer
	for _, pk := range pks {
		pk.ProtocolVersion = c.v
		pk.Mods.AllowResponseInfo = true
		encode := map[byte]func(*bytes.Buffer) error{
			packets.Connect: pk.ConnectEncode, packets.Publish: pk.PublishEncode, packets.Puback: pk.PubackEncode,
			packets.Pubrel: pk.PubrelEncode, packets.Pubrec: pk.PubrecEncode, packets.Pubcomp: pk.PubcompEncode, packets.Subscribe: pk.SubscribeEncode, packets.Unsubscribe: pk.UnsubscribeEncode,
			packets.Pingreq: pk.PingreqEncode, packets.Disconnect: pk.DisconnectEncode,
		}
		if err := encode[pk.FixedHeader.Type](&buf); err != nil {
			c.t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// read returns the next packet within d.
func (c *client) read(d time.Duration) (pk packets.Packet, err error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(d))
	first, err := c.r.ReadByte()
	if err != nil {
		return pk, err
	}
	if err := pk.FixedHeader.Decode(first); err != nil {
		return pk, err
	}
	if pk.FixedHeader.Remaining, _, err = packets.DecodeLength(c.r); err != nil {
		return pk, err
	}
	body := make([]byte, pk.FixedHeader.Remaining)
	if _, err := io.ReadFull(c.r, body); err != nil {
		return pk, err
	}
	pk.ProtocolVersion = c.v
	decode := map[byte]func([]byte) error{
		packets.Connack: pk.ConnackDecode, packets.Publish: pk.PublishDecode, packets.Puback: pk.PubackDecode,
		packets.Pubrec: pk.PubrecDecode, packets.Pubrel: pk.PubrelDecode, packets.Pubcomp: pk.PubcompDecode, packets.Suback: pk.SubackDecode,
		packets.Unsuback: pk.UnsubackDecode, packets.Disconnect: pk.DisconnectDecode, packets.Pingresp: pk.PingrespDecode,
	}
	return pk, decode[pk.FixedHeader.Type](body)
}

func (c *client) want(kind byte) packets.Packet {
	c.t.Helper()
	pk, err := c.read(patience)
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", packets.PacketNames[kind], err)
	}
	if pk.FixedHeader.Type != kind {
		c.t.Fatalf("got %s 0x%02x, want %s", packets.PacketNames[pk.FixedHeader.Type], pk.ReasonCode, packets.PacketNames[kind])
	}
	return pk
}

// wantMessage expects a message and acknowledges it at QoS 1.
func (c *client) wantMessage(name, payload string) packets.Packet {
	c.t.Helper()
	pk := c.want(packets.Publish)
	if pk.TopicName != name || string(pk.Payload) != payload {
		c.t.Fatalf("got %s %q, want %s %q", pk.TopicName, pk.Payload, name, payload)
	}
	if pk.FixedHeader.Qos == 1 {
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: pk.PacketID})
	}
	return pk
}

// wantAnswer expects PUBACK, PUBREC or PUBCOMP.
func (c *client) wantAnswer(kind byte, id uint16, reason byte) {
	c.t.Helper()
	pk := c.want(kind)
	if pk.PacketID != id || pk.ReasonCode != reason {
		c.t.Fatalf("got %s %d 0x%02x, want %d 0x%02x", packets.PacketNames[kind], pk.PacketID, pk.ReasonCode, id, reason)
	}
}

// wantSilence expects nothing for a moment.
func (c *client) wantSilence() {
	c.t.Helper()
	pk, err := c.read(50 * time.Millisecond)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %s %q, %v, want silence", packets.PacketNames[pk.FixedHeader.Type], pk.Payload, err)
	}
}

// wantClosed expects the end of the connection without another packet.
func (c *client) wantClosed() {
	c.t.Helper()
	if pk, err := c.read(patience); !errors.Is(err, io.EOF) {
		c.t.Fatalf("got %s, %v, want the connection to be closed", packets.PacketNames[pk.FixedHeader.Type], err)
	}
}

// wantDisconnect expects the end of the connection, with a reason if that can be told.
func (c *client) wantDisconnect(reason byte) {
	c.t.Helper()
	if c.v >= 5 {
		if pk := c.want(packets.Disconnect); pk.ReasonCode != reason {
			c.t.Fatalf("DISCONNECT 0x%02x, want 0x%02x", pk.ReasonCode, reason)
		}
	}
	c.wantClosed()
}

// wantPong makes sure that everything sent was processed.
func (c *client) wantPong() {
	c.t.Helper()
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pingreq}})
	c.want(packets.Pingresp)
}

func (c *client) subscribe(id uint16, qos byte, filters ...string) []byte {
	c.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, PacketID: id}
	for _, f := range filters {
		pk.Filters = append(pk.Filters, packets.Subscription{Filter: f, Qos: qos})
	}
	c.send(pk)
	ack := c.want(packets.Suback)
	if ack.PacketID != id {
		c.t.Fatalf("SUBACK %d, want %d", ack.PacketID, id)
	}
	return ack.ReasonCodes
}

func publish(name, payload string, qos byte, id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, TopicName: name, Payload: []byte(payload), PacketID: id}
}

func retained(pk packets.Packet) packets.Packet { pk.FixedHeader.Retain = true; return pk }
func repeated(pk packets.Packet) packets.Packet { pk.FixedHeader.Dup = true; return pk }

func pubrel(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrel, Qos: 1}, PacketID: id}
}

func disconnect(reason byte) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Disconnect}, ReasonCode: reason}
}

// store is a tap that stores what it is offered when the test says so.
type store struct {
	mu      sync.Mutex
	offered []topic.Message
	err     error                    // refuses messages
	stored  map[string]chan struct{} // by payload; absent: at once
	fail    error                    // of waiting
}

type wait = func(context.Context) error

var errFull = errors.New("full")

func (s *store) tap(m topic.Message) (func(context.Context) error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offered = append(s.offered, m)
	if s.err != nil {
		return nil, s.err
	}
	return func(ctx context.Context) error {
		s.mu.Lock()
		stored, held := s.stored[string(m.Payload)]
		s.mu.Unlock()
		if !held {
			return s.fail
		}
		select {
		case <-stored:
			return s.fail
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, nil
}

// hold makes waiting for a payload block until the returned function is called.
func (s *store) hold(payload string) (release func()) {
	ch := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stored == nil {
		s.stored = map[string]chan struct{}{}
	}
	s.stored[payload] = ch
	return sync.OnceFunc(func() { close(ch) })
}

func (s *store) payloads() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.offered {
		out = append(out, string(m.Payload))
	}
	return out
}
