package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"sluice/broker/auth"
	"sluice/broker/websocket"
)

// Listener says where clients come in, and how.
type Listener struct {
	// Address is host:port, where port 0 chooses a free one, or the absolute path of
	// a unix socket.
	Address string
	// Mode are the permissions of a unix socket; 0 for 0660.
	Mode fs.FileMode
	// TLS is nil for connections that are not encrypted. Its peers' certificates
	// must have been verified: the common name is the user.
	TLS *tls.Config
	// Plaintext allows an address off loopback without TLS.
	Plaintext bool
	// WebSocket is spoken below MQTT; Origins are the pages that may, see
	// websocket.Accept.
	WebSocket bool
	Origins   []string
	// Anonymous is what clients without user name may do; nil: not even connect.
	Anonymous *auth.Rights
}

// Local returns a listener that lets anybody in to do anything. The address must
// be on loopback.
func Local(address string) Listener {
	return Listener{Address: address, Anonymous: &auth.Rights{Read: []string{"#", "$SYS/#"}, Write: []string{"#"}}}
}

// check reports an address that cannot or must not be served.
func (l Listener) check() error {
	if filepath.IsAbs(l.Address) {
		return nil
	}
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("%q is no address to listen on, write host:port such as 127.0.0.1:1883: %w", l.Address, err)
	}
	if ip := net.ParseIP(host); l.TLS == nil && !l.Plaintext && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q can be reached from outside and is not encrypted: use TLS, or write 127.0.0.1:%s", l.Address, port)
	}
	return nil
}

func (l Listener) protocol() string {
	name := map[bool]string{false: "mqtt", true: "ws"}[l.WebSocket]
	if l.TLS != nil {
		name += "s"
	}
	return name
}

func (l Listener) bind(ctx context.Context) (net.Listener, error) {
	if !filepath.IsAbs(l.Address) {
		return new(net.ListenConfig).Listen(ctx, "tcp", l.Address)
	}
	if err := removeStale(l.Address); err != nil {
		return nil, err
	}
	socket, err := new(net.ListenConfig).Listen(ctx, "unix", l.Address)
	if err != nil {
		return nil, err
	}
	mode := l.Mode
	if mode == 0 {
		mode = 0o660
	}
	if err := os.Chmod(l.Address, mode); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return socket, nil
}

// removeStale removes a socket that a gateway has left behind which could not
// tidy up.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil // Listen says what is wrong, if anything
	}
	if nc, err := net.Dial("unix", path); err == nil {
		_ = nc.Close()
		return nil // served by somebody
	}
	return os.Remove(path)
}

// prepare does what comes before MQTT, within d, and returns the user that the
// certificate names, empty for none.
func (l Listener) prepare(ctx context.Context, nc net.Conn, d time.Duration) (net.Conn, string, error) {
	if l.TLS == nil && !l.WebSocket {
		return nc, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	prepared, user, err := l.layers(ctx, nc)
	if err == nil && !stop() {
		err = ctx.Err()
	}
	return prepared, user, err
}

func (l Listener) layers(ctx context.Context, nc net.Conn) (net.Conn, string, error) {
	user := ""
	if l.TLS != nil {
		secure := tls.Server(nc, l.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, "", err
		}
		if peers := secure.ConnectionState().PeerCertificates; len(peers) > 0 {
			if user = peers[0].Subject.CommonName; user == "" {
				return nil, "", errors.New("the certificate of the client has no common name")
			}
		}
		nc = secure
	}
	if !l.WebSocket {
		return nc, user, nil
	}
	ws, err := websocket.Accept(nc, l.Origins)
	if err != nil {
		return nil, "", err
	}
	return &packetwise{Conn: ws}, user, nil
}
