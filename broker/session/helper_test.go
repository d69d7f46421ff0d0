package session_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"sluice/broker/session"
)

// packet is what a client reads.
type packet struct {
	release     bool // PUBREL
	qos         byte
	dup, retain bool
	id          uint16
	topic       string
	payload     string
	expiry      uint32
	identifiers []int
	properties  int // bytes of them
}

func (p packet) String() string {
	if p.release {
		return fmt.Sprintf("PUBREL %d", p.id)
	}
	dup := ""
	if p.dup {
		dup = " again"
	}
	return fmt.Sprintf("%s %d%s", p.payload, p.id, dup)
}

// link is a connection whose other end a test reads.
type link struct {
	version byte
	room    int // packets it takes; negative: any
	broken  bool
	got     []packet
	sizes   []int
}

func newLink(version byte) *link { return &link{version: version, room: -1} }

func (l *link) Room() bool { return l.room != 0 }

func (l *link) Send(b []byte) error {
	if l.broken {
		return errors.New("broken")
	}
	if l.room > 0 {
		l.room--
	}
	p, err := parse(b, l.version)
	if err != nil {
		panic(err)
	}
	l.got = append(l.got, p)
	l.sizes = append(l.sizes, len(b))
	return nil
}

// take returns what came since the last call.
func (l *link) take() []packet {
	got := l.got
	l.got = nil
	return got
}

var errShort = errors.New("packet is too short")

// parse reads one PUBLISH or PUBREL.
func parse(b []byte, version byte) (p packet, err error) {
	if len(b) < 2 {
		return p, errShort
	}
	first := b[0]
	length, n := binary.Uvarint(b[1:])
	b = b[1+n:]
	if int(length) != len(b) {
		return p, fmt.Errorf("length %d of %d bytes", length, len(b))
	}
	if first == 0x62 {
		return packet{release: true, id: binary.BigEndian.Uint16(b)}, nil
	}
	if first>>4 != 3 {
		return p, fmt.Errorf("type 0x%02x", first)
	}
	p.dup, p.qos, p.retain = first&8 != 0, first>>1&3, first&1 != 0
	topic := int(binary.BigEndian.Uint16(b))
	p.topic, b = string(b[2:2+topic]), b[2+topic:]
	if p.qos > 0 {
		p.id, b = binary.BigEndian.Uint16(b), b[2:]
	}
	if version >= 5 {
		length, n := binary.Uvarint(b)
		p.properties = int(length)
		p.parseProperties(b[n : n+int(length)])
		b = b[n+int(length):]
	}
	p.payload = string(b)
	return p, nil
}

// parseProperties reads those that the session writes itself, which come first.
func (p *packet) parseProperties(b []byte) {
	for len(b) > 0 {
		switch b[0] {
		case 0x02:
			p.expiry, b = binary.BigEndian.Uint32(b[1:]), b[5:]
		case 0x0b:
			id, n := binary.Uvarint(b[1:])
			p.identifiers, b = append(p.identifiers, int(id)), b[1+n:]
		default:
			return
		}
	}
}

func message(payload string) *session.Message {
	return &session.Message{Topic: "t", Payload: []byte(payload)}
}

// deliver queues messages that are numbered from from on.
func deliver(t *testing.T, s *session.Session, qos byte, from, n int) {
	t.Helper()
	for i := range n {
		if why := s.Deliver(message(fmt.Sprint(from+i)), session.Delivery{QoS: qos}); why != session.None {
			t.Fatalf("message %d is dropped: %v", from+i, why)
		}
	}
}

func wantPackets(t *testing.T, l *link, want ...string) []packet {
	t.Helper()
	got := l.take()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	return got
}
