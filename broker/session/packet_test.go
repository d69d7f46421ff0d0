package session_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"sluice/broker/session"
)

// raw keeps the bytes of the last packet.
type raw struct{ last []byte }

func (*raw) Room() bool            { return true }
func (r *raw) Send(b []byte) error { r.last = bytes.Clone(b); return nil }

func encoded(version byte, m *session.Message, d session.Delivery) []byte {
	s, r := session.NewPool(session.Limits{}).New(), &raw{}
	s.Attach(r, session.Terms{Version: version})
	s.Deliver(m, d)
	return r.last
}

func TestPackets(t *testing.T) {
	m := &session.Message{Topic: "a/b", Payload: []byte("hi"), Properties: []byte{0x01, 0x01}}
	for _, tt := range []struct {
		name    string
		version byte
		d       session.Delivery
		want    string
	}{
		{"QoS 0", 4, session.Delivery{}, "3007 0003612f62 6869"},
		{"QoS 1, retained", 3, session.Delivery{QoS: 1, Retain: true}, "3309 0003612f62 0001 6869"},
		{"MQTT 5", 5, session.Delivery{}, "300a 0003612f62 020101 6869"},
		{"subscription identifiers", 5, session.Delivery{QoS: 2, Identifiers: []uint32{1, 200}}, "3411 0003612f62 0001 070b010bc8010101 6869"},
	} {
		want, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(tt.want), []byte(" "), nil)))
		if err != nil {
			t.Fatal(err)
		}
		if got := encoded(tt.version, m, tt.d); !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", tt.name, got, want)
		}
	}
}

// FuzzPackets: what is written is read again, whatever the lengths.
func FuzzPackets(f *testing.F) {
	f.Add("a/b", []byte("payload"), uint32(5), uint32(300), byte(5), byte(1))
	f.Add("a", bytes.Repeat([]byte("x"), 20_000), uint32(0), uint32(0), byte(4), byte(2))
	f.Add("", []byte{}, uint32(1<<20), uint32(1<<28-1), byte(5), byte(0))
	f.Fuzz(func(t *testing.T, topic string, payload []byte, life, id uint32, version, qos byte) {
		if len(topic) > 65535 || id >= 1<<28 {
			return
		}
		m := &session.Message{Topic: topic, Payload: payload}
		if life > 0 {
			m.Expires = time.Now().Add(time.Duration(life)*time.Second + time.Second/4)
		}
		d := session.Delivery{QoS: qos % 3}
		if id > 0 {
			d.Identifiers = []uint32{id}
		}
		p, err := parse(encoded(version, m, d), version)
		if err != nil {
			t.Fatal(err)
		}
		if p.topic != topic || p.payload != string(payload) || p.qos != d.QoS || (p.id > 0) != (p.qos > 0) {
			t.Errorf("got %+v", p)
		}
		if version >= 5 && (p.expiry != life || id > 0 && (len(p.identifiers) != 1 || p.identifiers[0] != int(id))) {
			t.Errorf("got %+v, want expiry %d, identifier %d", p, life, id)
		}
	})
}
