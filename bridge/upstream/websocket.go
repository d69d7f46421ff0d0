package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"
)

// upgrade makes a WebSocket of conn (MQTT 3.1.1, 6; RFC 6455), which it closes if
// that fails.
func upgrade(ctx context.Context, conn net.Conn, u *url.URL) (net.Conn, error) {
	plain := *u
	plain.Scheme = "ws" // conn is encrypted by now where it has to be
	d := websocket.Dialer{
		NetDialContext:  func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		Subprotocols:    []string{"mqtt"}, // [MQTT-6.0.0-3]
		ReadBufferSize:  4 << 10,
		WriteBufferSize: writeChunk,
	}
	ws, answer, err := d.DialContext(ctx, plain.String(), nil)
	switch {
	case err == nil:
		return &socket{Conn: conn, ws: ws}, nil
	case answer == nil:
		conn.Close()
		return nil, fmt.Errorf("WebSocket with %s: %w", u.Host, readable(err))
	}
	conn.Close()
	switch answer.StatusCode {
	case http.StatusNotFound:
		return nil, fmt.Errorf("WebSocket with %s: it has none at %s: check the path of url", u.Host, u.Path)
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("WebSocket with %s: it does not allow it (%s): its operator must", u.Host, answer.Status)
	default:
		return nil, fmt.Errorf("WebSocket with %s: it answers %s: check that url leads to a broker's WebSocket", u.Host, answer.Status)
	}
}

// socket is the stream of bytes inside a WebSocket, whose frames have no meaning
// [MQTT-6.0.0-2].
type socket struct {
	net.Conn
	ws    *websocket.Conn
	frame io.Reader // of which something may be left; nil: none
}

func (s *socket) Read(p []byte) (int, error) {
	for {
		if s.frame == nil {
			kind, frame, err := s.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage { // [MQTT-6.0.0-1]
				return 0, errors.New("upstream sent text where MQTT has bytes")
			}
			s.frame = frame
		}
		n, err := s.frame.Read(p)
		if err == io.EOF {
			s.frame, err = nil, nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (s *socket) Write(p []byte) (int, error) {
	if err := s.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close says goodbye first, unless that takes long.
func (s *socket) Close() error {
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	s.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(pause))
	return s.Conn.Close()
}

func (s *socket) SetDeadline(t time.Time) error {
	return errors.Join(s.ws.SetReadDeadline(t), s.ws.SetWriteDeadline(t))
}
func (s *socket) SetReadDeadline(t time.Time) error  { return s.ws.SetReadDeadline(t) }
func (s *socket) SetWriteDeadline(t time.Time) error { return s.ws.SetWriteDeadline(t) }
