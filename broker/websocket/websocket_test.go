package websocket_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sluice/broker/websocket"
)

// request is the example of RFC 6455, section 1.3, with MQTT in it.
const request = "GET /mqtt HTTP/1.1\r\nHost: gateway:9001\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqttv3.1, mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n"

func with(old, new string) string { return strings.Replace(request, old, new, 1) }

// ask sends a request and returns the answer and what Accept returned.
func ask(t *testing.T, text string, origins ...string) (*http.Response, error) {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	accepted := make(chan error, 1)
	go func() {
		_, err := websocket.Accept(near, origins)
		near.Close()
		accepted <- err
	}()
	go io.WriteString(far, text)
	resp, err := http.ReadResponse(bufio.NewReader(far), nil)
	if err != nil {
		resp = nil
	}
	return resp, <-accepted
}

func TestAccept(t *testing.T) {
	resp, err := ask(t, request)
	if err != nil || resp == nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	for header, want := range map[string]string{
		"Sec-Websocket-Accept":   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // the answer in the RFC
		"Sec-Websocket-Protocol": "mqtt", "Upgrade": "websocket", "Connection": "Upgrade",
	} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

func TestAcceptRefuses(t *testing.T) {
	origin := func(o string) string { return with("\r\n\r\n", "\r\nOrigin: "+o+"\r\n\r\n") }
	for _, tt := range []struct {
		text    string
		origins []string
		code    int // 0: no answer
	}{
		{"hello\r\n\r\n", nil, 0},
		{"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 17<<10), nil, 0},
		{with("GET", "POST"), nil, 426},
		{with("Upgrade: websocket", "X: y"), nil, 426},
		{with("Version: 13", "Version: 8"), nil, 426},
		{with("dGhl", "!"), nil, 400},
		{with("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), nil, 400},
		{with("mqttv3.1, mqtt", "chat"), nil, 400},
		{with("mqttv3.1, mqtt", "mqttv3.1"), nil, 101},
		{origin("http://gateway:1880"), nil, 101},
		{origin("http://elsewhere"), nil, 403},
		{origin("null"), nil, 403},
		{origin("http://elsewhere"), []string{"http://elsewhere"}, 101},
		{origin("http://elsewhere:81"), []string{"http://elsewhere"}, 403},
		{origin("http://elsewhere"), []string{"*"}, 101},
	} {
		resp, err := ask(t, tt.text, tt.origins...)
		code := 0
		if resp != nil {
			code = resp.StatusCode
		}
		if code != tt.code || (err == nil) != (code == 101) {
			t.Errorf("%.60q, origins %v: %d, %v, want %d", tt.text, tt.origins, code, err, tt.code)
		}
	}
}

// open returns an accepted connection and the client's end of it.
func open(t testing.TB, behind []byte) (*websocket.Conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	go func() { far.Write(append([]byte(request), behind...)) }()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		r := bufio.NewReaderSize(far, 16)
		for line := ""; line != "\r\n"; {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	c, err := websocket.Accept(near, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-answered
	return c, far
}

// frame is a frame of a client.
func frame(first byte, body string) []byte {
	b := []byte{first}
	switch n := len(body); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := []byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask...)
	for i := range len(body) {
		b = append(b, body[i]^mask[i&3])
	}
	return b
}

// TestRead: the bytes of all messages in order, however they are cut, with control
// frames answered between.
func TestRead(t *testing.T) {
	long, longer := strings.Repeat("l", 300), strings.Repeat("L", 70_000)
	sent := bytes.Join([][]byte{
		frame(0x82, "one"), frame(0x02, "tw"), frame(0x89, "ping"), frame(0x00, ""), frame(0x80, "o"),
		frame(0x8a, "pong"), frame(0x82, ""), frame(0x82, long), frame(0x82, longer), frame(0x88, "\x03\xe8"),
	}, nil)
	c, far := open(t, sent)
	replies := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(far)
		replies <- b
	}()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "onetwo"+long+longer {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write behind the close frame: %v", err)
	}
	c.Close()
	if want := "\x8a\x04ping\x88\x02\x03\xe8"; string(<-replies) != want {
		t.Errorf("the client read another answer than %q", want)
	}
}

// TestReadFaults: what no client may send is answered by a status.
func TestReadFaults(t *testing.T) {
	for what, tt := range map[string]struct {
		sent   []byte
		status uint16
	}{
		"text":                    {frame(0x81, "x"), 1003},
		"no mask":                 {[]byte{0x82, 1, 'x'}, 1002},
		"reserved bit":            {frame(0xc2, "x"), 1002},
		"unknown type":            {frame(0x83, "x"), 1002},
		"unknown control":         {frame(0x8b, "x"), 1002},
		"continues nothing":       {frame(0x80, "x"), 1002},
		"begins inside a message": {append(frame(0x02, "x"), frame(0x82, "y")...), 1002},
		"long ping":               {frame(0x89, strings.Repeat("x", 126)), 1002},
		"ping in pieces":          {frame(0x09, "x"), 1002},
		"impossible length":       {[]byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1002},
	} {
		c, far := open(t, tt.sent)
		reply := make([]byte, 4)
		read := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(far, reply)
			read <- err
		}()
		_, err := io.ReadAll(c)
		if err == nil || <-read != nil || reply[0] != 0x88 || binary.BigEndian.Uint16(reply[2:]) != tt.status {
			t.Errorf("%s: %v, answer %x", what, err, reply)
		}
		if _, again := c.Read(make([]byte, 1)); !errors.Is(again, err) {
			t.Errorf("%s: then %v", what, again)
		}
	}
}

func TestWrite(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65_535, 65_536} {
		c, far := open(t, nil)
		body := bytes.Repeat([]byte("x"), n)
		go func() {
			if wrote, err := c.Write(body); wrote != n || err != nil {
				t.Errorf("wrote %d of %d: %v", wrote, n, err)
			}
			c.CloseWrite()
			c.Close()
		}()
		head := map[bool][]byte{true: {0x82, byte(n)}, false: {0x82, 126, byte(n >> 8), byte(n)}}[n < 126]
		if n > 65_535 {
			head = []byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}
		}
		want := append(append(head, body...), 0x88, 2, 0x03, 0xe8)
		if got, err := io.ReadAll(far); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}

func TestWriteMessages(t *testing.T) {
	c, far := open(t, nil)
	go func() {
		if err := c.WriteMessages([][]byte{[]byte("one"), []byte("two")}); err != nil {
			t.Error(err)
		}
		c.CloseWrite()
		c.Close()
		if err := c.WriteMessages([][]byte{[]byte("x")}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	}()
	if got, err := io.ReadAll(far); err != nil || string(got) != "\x82\x03one\x82\x03two\x88\x02\x03\xe8" {
		t.Errorf("got %q, %v", got, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(frame(0x82, "one"))
	f.Add(append(frame(0x02, "x"), frame(0x89, "ping")...))
	f.Add([]byte{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5})
	f.Fuzz(func(t *testing.T, sent []byte) {
		c, far := open(t, append(sent, frame(0x88, "")...))
		go io.Copy(io.Discard, far)
		c.Conn.Close()
		n, _ := io.Copy(io.Discard, c)
		if n > int64(len(sent)+6) {
			t.Errorf("%d bytes of %d", n, len(sent))
		}
	})
}
