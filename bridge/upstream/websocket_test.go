package upstream_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// frames is the broker's end of a WebSocket, as a stream: every write is two
// frames, so that packets begin and end anywhere.
type frames struct {
	net.Conn
	ws   *websocket.Conn
	left []byte
}

func (f *frames) Read(p []byte) (int, error) {
	for len(f.left) == 0 {
		_, b, err := f.ws.ReadMessage()
		if err != nil {
			return 0, err
		}
		f.left = b
	}
	n := copy(p, f.left)
	f.left = f.left[n:]
	return n, nil
}

func (f *frames) Write(p []byte) (int, error) {
	half := len(p) / 2
	for _, part := range [][]byte{p[:half], p[half:]} {
		if err := f.ws.WriteMessage(websocket.BinaryMessage, part); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (f *frames) SetReadDeadline(t time.Time) error { return f.ws.SetReadDeadline(t) }

// serveWebSockets hands every WebSocket on /mqtt to the test.
func serveWebSockets(t *testing.T) (*httptest.Server, <-chan *frames) {
	t.Cleanup(func() { noneLeft(t) })
	accepted := make(chan *frames, 1)
	upgrader := websocket.Upgrader{Subprotocols: []string{"mqtt"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/mqtt", func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Sec-Websocket-Protocol"); got != "mqtt" {
			t.Errorf("subprotocol %q", got)
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		ws.SetReadDeadline(time.Now().Add(patience))
		accepted <- &frames{Conn: ws.NetConn(), ws: ws}
	})
	mux.HandleFunc("/members", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	s := httptest.NewUnstartedServer(mux)
	t.Cleanup(s.Close)
	return s, accepted
}

func TestWebSocket(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			s, accepted := serveWebSockets(t)
			cfg := upstream.Config{ClientID: "gw"}
			if scheme == "wss" {
				cert, roots := selfSigned(t, "broker.test")
				s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
				cfg.TLS = &tls.Config{RootCAs: roots, ServerName: "broker.test"}
				s.StartTLS()
			} else {
				s.Start()
			}
			cfg.URL = scheme + "://" + s.Listener.Addr().String()
			result := make(chan dialed, 1)
			go func() {
				session, err := open(t.Context(), cfg, nil)
				result <- dialed{session, err}
			}()
			conn := <-accepted
			p := newPeer(t, conn)
			p.next(connect)
			p.send(connack, 0, 0)
			d := <-result
			if d.err != nil {
				t.Fatal(d.err)
			}
			acked := d.session.Publish(topic.Message{Topic: "a", Payload: make([]byte, 40<<10)})
			m, id := p.nextPublish()
			if len(m.Payload) != 40<<10 {
				t.Errorf("%d bytes arrived", len(m.Payload))
			}
			p.send(puback, id...)
			if err := value(t, acked); err != nil {
				t.Error(err)
			}
			if err := d.session.Close(t.Context()); err != nil {
				t.Error(err)
			}
			p.next(disconnect)
			if _, err := p.read(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Errorf("the connection ended with %v", err)
			}
			conn.Close()
		})
	}
}

func TestWebSocketSaysWhatToChange(t *testing.T) {
	s, accepted := serveWebSockets(t)
	s.Start()
	address := "ws://" + s.Listener.Addr().String()
	for path, want := range map[string]string{"/other": "check the path of url", "/members": "its operator must"} {
		_, err := open(t.Context(), upstream.Config{URL: address + path}, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", path, err, want)
		}
	}
	go func() {
		f := <-accepted
		f.ws.WriteMessage(websocket.TextMessage, []byte("hello"))
	}()
	_, err := open(t.Context(), upstream.Config{URL: address, ClientID: "gw"}, nil)
	if err == nil || !strings.Contains(err.Error(), "text where MQTT has bytes") {
		t.Errorf("text frames: %v", err)
	}
	go func() {
		f := <-accepted
		f.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(patience))
	}()
	_, err = open(t.Context(), upstream.Config{URL: address, ClientID: "gw"}, nil)
	if err == nil || !strings.Contains(err.Error(), "upstream closed the connection") {
		t.Errorf("goodbye: %v", err)
	}
}
