package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"sluice/bridge/unpack"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// peerFlags say how to reach a broker.
type peerFlags struct {
	url, user, password, ca, cert, key string
}

// add adds the flags, those of the sink with "to-" in front.
func (p *peerFlags) add(f *flag.FlagSet, prefix string) {
	f.StringVar(&p.user, prefix+"user", "", "")
	f.StringVar(&p.password, prefix+"password-file", "", "")
	f.StringVar(&p.ca, prefix+"ca", "", "")
	f.StringVar(&p.cert, prefix+"cert", "", "")
	f.StringVar(&p.key, prefix+"key", "", "")
}

// config reads what the flags name.
func (p *peerFlags) config(client string) (upstream.Config, error) {
	cfg := upstream.Config{URL: p.url, ClientID: client, Username: p.user, TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if p.password != "" {
		text, err := os.ReadFile(p.password)
		if err != nil {
			return cfg, err
		}
		line, _, _ := strings.Cut(string(text), "\n")
		cfg.Password = strings.TrimSuffix(line, "\r")
	}
	if p.ca != "" {
		pem, err := os.ReadFile(p.ca)
		if err != nil {
			return cfg, err
		}
		cfg.TLS.RootCAs = x509.NewCertPool()
		if !cfg.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return cfg, fmt.Errorf("%s holds no certificate in PEM form", p.ca)
		}
	}
	if p.cert != "" {
		pair, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			return cfg, err
		}
		cfg.TLS.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

// connect connects to the broker. Files are read again each time.
func (p *peerFlags) connect(ctx context.Context, client string, clean bool) (*upstream.Conn, bool, error) {
	cfg, err := p.config(client)
	if err != nil {
		return nil, false, err
	}
	dialing, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	path, err := upstream.Dial(dialing, cfg)
	if err != nil {
		return nil, false, err
	}
	return path.Connect(ctx, clean)
}

// unpackArgs is the command line of sluice unpack.
type unpackArgs struct {
	from, to             peerFlags
	match, client, state string
	qos                  int
}

func runUnpack(ctx context.Context, args []string, t terminal) error {
	var a unpackArgs
	f := flags("unpack")
	f.StringVar(&a.from.url, "from", "", "")
	a.from.add(f, "")
	f.StringVar(&a.to.url, "to", "", "")
	a.to.add(f, "to-")
	f.StringVar(&a.match, "match", "envelopes/#", "")
	f.StringVar(&a.client, "client-id", "sluice-unpack", "")
	f.StringVar(&a.state, "state", "", "")
	f.IntVar(&a.qos, "qos", 2, "")
	if err := parse(f, args); err != nil {
		return helpOn(err, "unpack", t)
	}
	if err := a.complete(); err != nil {
		return err
	}
	u, err := unpack.New(a.config(), t.logger(slog.LevelInfo))
	if err != nil {
		return hint(err, "-state names a folder for this unpacker alone")
	}
	defer u.Close()
	err = u.Run(ctx)
	s := u.Stats()
	fmt.Fprintf(t.err, "%d envelopes, %d messages handed on, %d that came again left out, %d set aside\n", s.Envelopes, s.Messages, s.Again, s.Aside)
	return err
}

// complete checks the command line and fills in what it leaves out.
func (a *unpackArgs) complete() error {
	if a.from.url == "" || a.state == "" {
		return usage("unpack wants to know where envelopes come from, and where to remember what it did",
			"sluice unpack -from mqtts://broker:8883 -state /var/lib/sluice-unpack")
	}
	if err := topic.CheckFilter(a.match); err != nil {
		return usage("-match %q: %v", "write a topic filter, such as envelopes/#", a.match, err)
	}
	if a.qos != 1 && a.qos != 2 {
		return usage("-qos %d is not known here", "2 is exact; 1 is for brokers without QoS 2", a.qos)
	}
	if a.to.url == "" {
		a.to = a.from
	}
	for _, p := range []peerFlags{a.from, a.to} {
		if _, err := p.config(a.client); err != nil {
			return err
		}
	}
	return os.MkdirAll(a.state, 0o750)
}

func (a *unpackArgs) config() unpack.Config {
	source, sink := a.client+"-from", a.client+"-to"
	return unpack.Config{
		Dir: a.state, QoS: byte(a.qos), Peer: a.to.url + " " + sink,
		Source: func(ctx context.Context) (unpack.Source, error) {
			c, _, err := a.from.connect(ctx, source, false)
			if err != nil {
				return nil, err
			}
			if err := c.Subscribe(a.match); err != nil {
				c.Close()
				return nil, err
			}
			return c, nil
		},
		Sink: func(ctx context.Context, clean bool) (unpack.Sink, bool, error) {
			if clean {
				c, _, err := a.to.connect(ctx, sink, true)
				if err != nil {
					return nil, false, err
				}
				c.Close()
			}
			c, kept, err := a.to.connect(ctx, sink, false)
			if err != nil {
				return nil, false, err
			}
			return c, kept, nil
		},
	}
}
