package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"sluice/bridge"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
	"sluice/gateway/config"
)

// dialers returns how a bridge connects to its brokers, the first of which is
// preferred; spend is told what that costs, nil: nobody wants to know; receive
// gets what comes down, by the rules and of what watch names. Passwords and certificates are read again for each
// connection, so that renewed ones are used without a restart; they are read once
// here so that a mistake is found at the start.
func dialers(c config.Bridge, spend func(int64), receive func(topic.Message), watch []string, log *slog.Logger) ([]bridge.Dialer, error) {
	sessions := tls.NewLRUClientSessionCache(8)
	if _, err := upstreamConfig(c, sessions); err != nil {
		return nil, err
	}
	var all []bridge.Dialer
	for _, url := range append([]string{c.URL}, c.Failover...) {
		all = append(all, func(ctx context.Context) (bridge.Path, error) {
			cfg, err := upstreamConfig(c, sessions)
			if err != nil {
				return nil, err
			}
			cfg.URL, cfg.Spend = url, spend
			cfg.Receive, cfg.Subscribe = receive, filters(c.Receive, watch)
			p, err := upstream.Dial(ctx, cfg)
			if err != nil {
				return nil, err
			}
			return path{p, log.With("bridge", c.ID)}, nil
		})
	}
	return all, nil
}

// path is an upstream path as a bridge sees it.
type path struct {
	*upstream.Path
	log *slog.Logger
}

func (p path) Open(ctx context.Context, will topic.Message) (bridge.Session, error) {
	s, err := p.Path.Open(ctx, &will)
	if err != nil {
		return nil, err
	}
	if denied := s.Denied(); len(denied) > 0 {
		p.log.Warn("upstream refuses subscriptions", "filters", denied)
	}
	return s, nil
}

// filters returns what the rules need subscriptions for: not what another takes
// in, or some brokers would send messages twice. What is watched comes at QoS 0.
func filters(rules []config.Rule, watch []string) map[string]byte {
	all := map[string]byte{}
	for _, filter := range watch {
		covers := func(r config.Rule) bool { return !r.Drop && topic.Covers(r.Match, filter) }
		if !slices.ContainsFunc(rules, covers) {
			all[filter] = 0
		}
	}
	for i, r := range rules {
		covered := slices.ContainsFunc(rules, func(o config.Rule) bool {
			return !o.Drop && o.Match != r.Match && o.QoS >= r.QoS && topic.Covers(o.Match, r.Match)
		})
		if !r.Drop && !covered {
			all[r.Match] = max(all[r.Match], rules[i].QoS)
		}
	}
	return all
}

func upstreamConfig(c config.Bridge, sessions tls.ClientSessionCache) (upstream.Config, error) {
	cfg := upstream.Config{ClientID: c.ClientID, KeepAlive: c.KeepAlive, UserTimeout: c.Profile.Transport}
	var err error
	if cfg.Username, cfg.Password, err = credentials(c.Username, c.UsernameFile, c.PasswordFile); err != nil {
		return cfg, err
	}
	if c.Proxy.URL != "" {
		p := &upstream.Proxy{URL: c.Proxy.URL}
		if p.Username, p.Password, err = credentials(c.Proxy.Username, c.Proxy.UsernameFile, c.Proxy.PasswordFile); err != nil {
			return cfg, fmt.Errorf("proxy: %w", err)
		}
		cfg.Proxy = p
	}
	cfg.TLS, err = tlsConfig(c.TLS)
	if c.TLS.Resume && err == nil {
		cfg.TLS.ClientSessionCache = sessions
	}
	return cfg, err
}

// credentials returns a user name, as it is or from its file, and a password.
func credentials(name, nameFile, passwordFile string) (username, password string, err error) {
	if nameFile != "" {
		if name, err = firstLine(nameFile); err != nil {
			return "", "", fmt.Errorf("read user name: %w", err)
		}
	}
	if passwordFile != "" {
		if password, err = firstLine(passwordFile); err != nil {
			return "", "", fmt.Errorf("read password: %w", err)
		}
	}
	return name, password, nil
}

// firstLine returns the first line of a file; MQTT takes 64 KiB at most.
func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	return lines.Text(), lines.Err()
}

func tlsConfig(c config.TLS) (*tls.Config, error) {
	t := &tls.Config{ServerName: c.ServerName, NextProtos: c.ALPN, CurvePreferences: c.Curves, MinVersion: tls.VersionTLS12}
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
