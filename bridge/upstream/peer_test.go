package upstream_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// patience bounds what a test waits for; nothing takes as long unless it failed.
const patience = time.Minute

// The packet types of MQTT 3.1.1, 2.2.1, that the tests meet.
const (
	connect    = 1
	connack    = 2
	publish    = 3
	puback     = 4
	suback     = 9
	pingreq    = 12
	pingresp   = 13
	disconnect = 14
)

// server listens where a broker would; every connection is led by the test
// itself, packet by packet.
type server struct {
	t  *testing.T
	ln net.Listener
}

func listen(t *testing.T) *server {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noneLeft(t) })
	t.Cleanup(func() { ln.Close() })
	return &server{t, ln}
}

func (s *server) url() string { return "mqtt://" + s.ln.Addr().String() }

func (s *server) accept() *peer {
	conn, err := s.ln.Accept()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return newPeer(s.t, conn)
}

// noneLeft fails the test when a goroutine of paho or of a session survives it.
func noneLeft(t *testing.T) {
	stacks := make([]byte, 1<<20)
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		all := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(all, "paho.mqtt.golang") && !strings.Contains(all, "upstream.(*") {
			return
		}
		if time.Now().After(end) {
			t.Errorf("goroutines left behind:\n%s", all)
			return
		}
	}
}

// peer is the broker's end of one connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newPeer(t *testing.T, conn net.Conn) *peer {
	return &peer{t, conn, bufio.NewReader(conn)}
}

type packet struct {
	kind, flags byte
	body        []byte
}

func (p *peer) read() (packet, error) {
	first, err := p.in.ReadByte()
	if err != nil {
		return packet{}, err
	}
	n, err := binary.ReadUvarint(p.in)
	if err != nil {
		return packet{}, err
	}
	body := make([]byte, n)
	_, err = io.ReadFull(p.in, body)
	return packet{first >> 4, first & 15, body}, err
}

// next returns the next packet, which must be of the given kind.
func (p *peer) next(kind byte) packet {
	p.t.Helper()
	got, err := p.read()
	if err != nil || got.kind != kind {
		p.t.Fatalf("next packet is of type %d (%v), want %d", got.kind, err, kind)
	}
	return got
}

// nextPublish returns the message and its packet id.
func (p *peer) nextPublish() (topic.Message, []byte) {
	p.t.Helper()
	got := p.next(publish)
	name, rest := text(got.body)
	m := topic.Message{Topic: name, QoS: got.flags >> 1 & 3, Retain: got.flags&1 != 0, Payload: rest[2:]}
	if got.flags&8 != 0 {
		p.t.Errorf("message on %s has DUP set in a new session", name)
	}
	return m, rest[:2]
}

// text splits a string of the protocol (MQTT 3.1.1, 1.5.3) off b.
func text(b []byte) (string, []byte) {
	n := binary.BigEndian.Uint16(b)
	return string(b[2 : 2+n]), b[2+n:]
}

// send writes one packet.
func (p *peer) send(kind byte, body ...byte) {
	p.t.Helper()
	if _, err := p.conn.Write(append([]byte{kind << 4, byte(len(body))}, body...)); err != nil {
		p.t.Error(err)
	}
}

// cut ends the connection with a reset, as a link or a broker that fails does.
func (p *peer) cut() {
	p.conn.(*net.TCPConn).SetLinger(0)
	p.conn.Close()
}

// gone fails the test unless the connection ends without another packet.
func (p *peer) gone() {
	p.t.Helper()
	if got, err := p.read(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("packet of type %d (%v) where the connection should end", got.kind, err)
	}
}

// dialed is what Dial returned.
type dialed struct {
	session *upstream.Session
	err     error
}

// open dials and begins a session.
func open(ctx context.Context, cfg upstream.Config, will *topic.Message) (*upstream.Session, error) {
	path, err := upstream.Dial(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return path.Open(ctx, will)
}

// dial starts open and returns the broker's end with the CONNECT read.
func (s *server) dial(cfg upstream.Config, will *topic.Message) (*peer, packet, <-chan dialed) {
	cfg.URL = s.url()
	result := make(chan dialed, 1)
	go func() {
		session, err := open(s.t.Context(), cfg, will)
		result <- dialed{session, err}
	}()
	p := s.accept()
	return p, p.next(connect), result
}

// open returns a session and the broker's end of it.
func (s *server) open() (*upstream.Session, *peer) {
	s.t.Helper()
	p, _, result := s.dial(upstream.Config{ClientID: "gw"}, nil)
	p.send(connack, 0, 0)
	d := <-result
	if d.err != nil {
		s.t.Fatal(d.err)
	}
	return d.session, p
}

// value returns what acked yields.
func value(t *testing.T, acked <-chan error) error {
	t.Helper()
	select {
	case err := <-acked:
		return err
	case <-time.After(patience):
		t.Fatal("no result")
		return nil
	}
}

// closed waits until c is closed.
func closed(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal("still open")
	}
}
