package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"

	"sluice/broker/topic"
)

// Path is an open way to the broker that nothing was sent on yet. Some brokers
// close it after a few seconds.
type Path struct {
	raw net.Conn
	url *url.URL
	cfg Config
}

// Dial opens a way to the broker. ctx bounds the attempt and has no hold on the
// path afterwards.
func Dial(ctx context.Context, cfg Config) (*Path, error) {
	u, err := endpoint(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.KeepAlive < minKeepAlive {
		cfg.KeepAlive = defaultKeepAlive
	}
	if cfg.Connect == nil {
		cfg.Connect = tcp(cfg.UserTimeout)
	}
	if cfg.Spend != nil {
		cfg.Connect = metered(cfg.Connect, cfg.Spend)
	}
	to := func() (net.Conn, error) { return cfg.Connect(ctx, u.Host) }
	if cfg.Proxy != nil {
		to = func() (net.Conn, error) { return cfg.Proxy.dial(ctx, cfg.Connect, u.Host) }
	}
	raw, err := to()
	if err != nil {
		return nil, err
	}
	return &Path{raw, u, cfg}, nil
}

// Close gives the path up.
func (p *Path) Close() error { return p.raw.Close() }

// Open begins a session and returns once the broker accepted it. The broker
// publishes will, with its QoS and retain flag, when the connection ends without
// DISCONNECT; nil: nothing. ctx bounds everything up to then and has no hold on
// the session afterwards. A refusal by the broker is an error that says what to
// change. Either way the path is used up.
func (p *Path) Open(ctx context.Context, will *topic.Message) (*Session, error) {
	conn, err := p.inside(ctx)
	if err != nil {
		return nil, err
	}
	return handshake(ctx, newWire(p.raw, conn, silence(p.cfg.KeepAlive)), p.cfg, will)
}

// inside returns the stream that MQTT runs on: TLS and WebSocket where the address
// says so. On an error the path is closed.
func (p *Path) inside(ctx context.Context) (net.Conn, error) {
	conn := p.raw
	if encrypted(p.url) {
		secure := tls.Client(p.raw, tlsConfig(p.cfg.TLS, p.url.Hostname()))
		if err := secure.HandshakeContext(ctx); err != nil {
			p.raw.Close()
			return nil, tlsError(err, p.url.Host)
		}
		conn = secure
	}
	if strings.HasPrefix(p.url.Scheme, "ws") {
		return upgrade(ctx, conn, p.url)
	}
	return conn, nil
}

// endpoint parses an address and fills in the port, and the path of a WebSocket.
// Errors leave the address out: someone may have put a password into it.
func endpoint(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
	if err != nil || ports[u.Scheme] == "" || u.Hostname() == "" || u.User != nil {
		return nil, errors.New("upstream address is not of the form mqtts://host:8883, mqtt://host:1883, wss://host:443/mqtt or ws://host:80/mqtt")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/mqtt"
	}
	return u, nil
}

func encrypted(u *url.URL) bool { return u.Scheme == "mqtts" || u.Scheme == "wss" }

func tlsConfig(base *tls.Config, host string) *tls.Config {
	cfg := &tls.Config{}
	if base != nil {
		cfg = base.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	return cfg
}
