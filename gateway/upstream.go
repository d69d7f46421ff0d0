package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/presence"
)

// dialer returns how a bridge connects to its broker. Password and certificates
// are read again for each connection, so that renewed ones are used without a
// restart; they are read once here so that a mistake is found at the start.
func dialer(c config.Bridge) (bridge.Dialer, error) {
	if _, err := upstreamConfig(c); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (bridge.Path, error) {
		cfg, err := upstreamConfig(c)
		if err != nil {
			return nil, err
		}
		p, err := upstream.Dial(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return path{p}, nil
	}, nil
}

// path is an upstream path as a bridge sees it.
type path struct{ *upstream.Path }

func (p path) Open(ctx context.Context, will topic.Message) (bridge.Session, error) {
	s, err := p.Path.Open(ctx, &will)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func bridgeConfig(c config.Bridge, me *presence.Presence, linkUp <-chan struct{}) bridge.Config {
	return bridge.Config{
		ID: c.ID, Send: rules(c.Send), KeepAlive: c.KeepAlive, LinkUp: linkUp,
		Will: me.Will, Birth: me.Birth, Farewell: me.Farewell,
		Lost: func(lane queue.Name, g queue.Gap) topic.Message {
			return me.Lost(string(lane), g.Messages, g.First, g.Last)
		},
	}
}

func upstreamConfig(c config.Bridge) (upstream.Config, error) {
	cfg := upstream.Config{URL: c.URL, ClientID: c.ClientID, Username: c.Username, KeepAlive: c.KeepAlive}
	if c.PasswordFile != "" {
		secret, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return cfg, fmt.Errorf("read password: %w", err)
		}
		cfg.Password = strings.TrimRight(string(secret), "\r\n")
	}
	if strings.HasPrefix(c.URL, "mqtts:") {
		t, err := tlsConfig(c)
		if err != nil {
			return cfg, err
		}
		cfg.TLS = t
	}
	return cfg, nil
}

func tlsConfig(c config.Bridge) (*tls.Config, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("load client certificate: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func rules(send []config.Rule) []bridge.Rule {
	out := make([]bridge.Rule, len(send))
	for i, r := range send {
		out[i] = bridge.Rule{
			Match: r.Match, Exclude: r.Exclude, Drop: r.Drop, Strip: r.Strip, To: r.To, Lane: queue.Name(r.Lane), Plain: r.StripRetain,
		}
	}
	return out
}
