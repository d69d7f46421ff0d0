package upstream

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// tape is a connection on which a recording plays.
type tape struct {
	net.Conn
	bytes.Reader
}

func (t *tape) Read(p []byte) (int, error)      { return t.Reader.Read(p) }
func (t *tape) SetReadDeadline(time.Time) error { return nil }
func (t *tape) Close() error                    { return nil }

// FuzzRead checks what paho gets to see of an upstream that sends anything.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"\x20\x02\x00\x00" + "\x40\x02\x00\x01" + "\xd0\x00",
		"\x20\x02\x00\x87",
		"\x30\x05\x00\x01aXY" + "\x40\x02\x00\x02",
		"\x90\x03\x00\x01\x01",
		"\x30\xff\xff\xff\x7f",
		"\x40\x82\x80\x80\x80\x00",
		"\x40\x82\x80\x00\x00\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, recording []byte) {
		conn := &tape{Reader: *bytes.NewReader(recording)}
		w := newWire(conn, conn, time.Minute)
		defer func() {
			w.end(errClosed)
			<-w.flushed
		}()
		for {
			p, err := packets.ReadPacket(w)
			if err != nil {
				return
			}
			switch p := p.(type) {
			case *packets.ConnackPacket:
				if p.ReturnCode > 5 {
					t.Errorf("CONNACK with code %d", p.ReturnCode)
				}
			case *packets.PublishPacket:
				if len(p.Payload) > maxInbound {
					t.Errorf("PUBLISH with %d bytes", len(p.Payload))
				}
			case *packets.PubackPacket, *packets.PingrespPacket:
			default:
				t.Errorf("paho got %T", p)
			}
		}
	})
}
