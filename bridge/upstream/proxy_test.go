package upstream_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
)

// talk leads the proxy's end of one connection: it reads what is wanted and
// answers, in turns.
func talk(t *testing.T, ln net.Listener, turns ...string) <-chan net.Conn {
	over := make(chan net.Conn, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		conn.SetDeadline(time.Now().Add(patience))
		for i := 0; i+1 < len(turns); i += 2 {
			asked := make([]byte, len(turns[i]))
			for n := 0; n < len(asked); {
				m, err := conn.Read(asked[n:])
				if n += m; err != nil {
					break
				}
			}
			if string(asked) != turns[i] {
				t.Errorf("proxy was asked %q, want %q", asked, turns[i])
			}
			conn.Write([]byte(turns[i+1]))
		}
		over <- conn
	}()
	return over
}

const connectHead = "CONNECT broker.test:1883 HTTP/1.1\r\nHost: broker.test:1883\r\n"

func TestProxies(t *testing.T) {
	for _, tt := range []struct {
		name, scheme, user, want string
		turns                    []string
	}{
		{"http", "http", "", "", []string{connectHead + "\r\n", "HTTP/1.1 200 Connection established\r\nContent-Length: 0\r\n\r\n"}},
		{"http with password", "http", "u", "", []string{connectHead + "Proxy-Authorization: Basic dTpzZWNyZXQ=\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"}},
		{"http credentials", "http", "u", "check username and password of the proxy", []string{connectHead, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"}},
		{"http forbids", "http", "", "must permit CONNECT", []string{connectHead, "HTTP/1.1 403 Forbidden\r\n\r\n"}},
		{"http cannot reach", "http", "", "cannot reach broker.test:1883 (502)", []string{connectHead, "HTTP/1.1 502 Bad Gateway\r\n\r\n"}},
		{"http is none", "http", "", "check that this is a proxy", []string{connectHead, "HTTP/1.1 404 Not Found\r\n\r\n"}},
		{"http speaks first", "http", "", "before it is asked", []string{connectHead + "\r\n", "HTTP/1.1 200 OK\r\n\r\nSSH-2.0"}},
		{"http does not speak it", "http", "", "no answer to CONNECT that is HTTP", []string{connectHead, "SSH-2.0-OpenSSH\r\n"}},
		{"socks", "socks5", "", "", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x0bbroker.test\x07\x5b", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}},
		{"socks with password", "socks5", "u", "", []string{"\x05\x01\x02", "\x05\x02", "\x01\x01u\x06secret", "\x01\x00",
			"\x05\x01\x00\x03\x0bbroker.test\x07\x5b", "\x05\x00\x00\x03\x02ab\x00\x00"}},
		{"socks credentials", "socks5", "u", "check username and password of the proxy", []string{"\x05\x01\x02", "\x05\x02", "\x01\x01u\x06secret", "\x01\x01"}},
		{"socks wants credentials", "socks5", "", "give the proxy username and password", []string{"\x05\x01\x00", "\x05\xff"}},
		{"socks knows no credentials", "socks5", "u", "leave them out", []string{"\x05\x01\x02", "\x05\xff"}},
		{"socks forbids", "socks5", "", "must permit", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x0bbroker.test\x07\x5b", "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"}},
		{"socks cannot reach", "socks5", "", "cannot reach broker.test:1883", []string{"\x05\x01\x00", "\x05\x00", "\x05\x01\x00\x03\x0bbroker.test\x07\x5b", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"}},
		{"socks is none", "socks5", "", "does not speak SOCKS 5", []string{"\x05\x01\x00", "HTTP/1.1 400 Bad Request"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t)
			over := talk(t, s.ln, tt.turns...)
			path, err := upstream.Dial(t.Context(), upstream.Config{
				URL:   "mqtt://broker.test",
				Proxy: &upstream.Proxy{URL: tt.scheme + "://" + s.ln.Addr().String(), Username: tt.user, Password: "secret"},
			})
			conn := <-over
			defer conn.Close()
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("Dial: %v, want an error with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			opened := make(chan *upstream.Session, 1)
			go func() {
				session, err := path.Open(t.Context(), nil)
				if err != nil {
					t.Error(err)
				}
				opened <- session
			}()
			p := newPeer(t, conn)
			p.next(connect)
			p.send(connack, 0, 0)
			if session := <-opened; session != nil {
				session.Close(t.Context())
			}
		})
	}
}

func TestProxyDialEndsWithItsContext(t *testing.T) {
	s := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	over := talk(t, s.ln, "\x05\x01\x00", "")
	result := make(chan error, 1)
	go func() {
		_, err := upstream.Dial(ctx, upstream.Config{URL: "mqtt://broker.test", Proxy: &upstream.Proxy{URL: "socks5://" + s.ln.Addr().String()}})
		result <- err
	}()
	conn := <-over
	defer conn.Close()
	cancel()
	if err := <-result; err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("Dial: %v", err)
	}
}

func TestProxyAddresses(t *testing.T) {
	for _, url := range []string{"", "http://", "https://proxy", "socks4://proxy", "http://u:secret@proxy", "socks5://[::1"} {
		_, err := upstream.Dial(t.Context(), upstream.Config{URL: "mqtt://broker.test", Proxy: &upstream.Proxy{URL: url}})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
