package mqtt_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sluice/broker"
	"sluice/broker/auth"
)

// overWebSocket opens a WebSocket by hand.
func overWebSocket(t *testing.T, v byte, protocols string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	s := serve(t, v, broker.Config{Listen: []broker.Listener{{
		Address: "127.0.0.1:0", WebSocket: true, Anonymous: &auth.Rights{Read: []string{"#"}, Write: []string{"#"}},
	}}})
	nc, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_, _ = io.WriteString(nc, "GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"+protocols+"\r\n")
	r := bufio.NewReader(nc)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return nc, r, answer
}

const (
	frameText   = 0x81
	frameBinary = 0x82
)

// frame is a frame of a client, whose mask of zeros changes nothing.
func frame(kind byte, payload []byte) []byte {
	return join(raw(kind, 0x80|byte(len(payload)), 0, 0, 0, 0), payload)
}

// wantFrame reads a frame of the server, up to 125 bytes.
func wantFrame(t *testing.T, r *bufio.Reader) (kind byte, payload []byte) {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		t.Fatal(err)
	}
	payload = make([]byte, head[1])
	if _, err := io.ReadFull(r, payload); err != nil {
		t.Fatal(err)
	}
	return head[0], payload
}

func webSocketIsMQTT(t *testing.T, v byte) {
	_, _, answer := overWebSocket(t, v, "Sec-WebSocket-Protocol: other, mqtt\r\n")
	if got := answer.Header.Get("Sec-WebSocket-Protocol"); answer.StatusCode != http.StatusSwitchingProtocols || got != "mqtt" {
		t.Errorf("%s, protocol %q", answer.Status, got)
	}
	if _, _, answer := overWebSocket(t, v, "Sec-WebSocket-Protocol: other\r\n"); answer.StatusCode == http.StatusSwitchingProtocols {
		t.Error("a client that does not offer mqtt was let in")
	}
}

// framesAreNotPackets: a packet may be spread over frames and share one.
func framesAreNotPackets(t *testing.T, v byte) {
	nc, r, _ := overWebSocket(t, v, "Sec-WebSocket-Protocol: mqtt\r\n")
	c := speak(t, nc, v)
	all := join(c.connectPacket(session{flags: clean}), pingreq(), pingreq())
	for i := range all[:len(all)-3] {
		c.write(frame(frameBinary, all[i:i+1]))
	}
	c.write(frame(frameBinary, all[len(all)-3:]))
	var got []byte
	for !strings.HasSuffix(string(got), "\xd0\x00\xd0\x00") {
		kind, payload := wantFrame(t, r)
		if kind != frameBinary {
			t.Fatalf("frame 0x%02x", kind)
		}
		got = append(got, payload...)
	}
	if got[0] != tCONNACK {
		t.Errorf("got % x", got)
	}
}

func otherFramesAreRefused(t *testing.T, v byte) {
	nc, r, _ := overWebSocket(t, v, "Sec-WebSocket-Protocol: mqtt\r\n")
	c := speak(t, nc, v)
	c.write(frame(frameText, c.connectPacket(session{flags: clean})))
	kind, payload := wantFrame(t, r)
	if kind != 0x88 || binary.BigEndian.Uint16(payload) != 1003 {
		t.Errorf("frame 0x%02x % x, want CLOSE 1003", kind, payload)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection goes on")
	}
}
