package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	lookEvery = 5 * time.Second // at the files, when somebody connects
	warnEvery = 24 * time.Hour
)

// Config says what a Server shows and whom it asks for a certificate.
type Config struct {
	// Cert and Key are paths of PEM files; empty for the certificate that the
	// authority issues.
	Cert, Key string
	// Dir is the folder of the gateway's authority and Name what people see of it;
	// both are made when they are needed.
	Dir, Name string
	// Hosts are names and addresses of this machine besides those that it knows.
	Hosts []string
	// ClientAuth is tls.NoClientCert, tls.VerifyClientCertIfGiven or
	// tls.RequireAndVerifyClientCert.
	ClientAuth tls.ClientAuthType
	// ClientCA is the path of the authorities that certificates of clients are
	// checked with; empty for the gateway's own.
	ClientCA string
}

// Server is a TLS configuration whose files may change while it is used. It renews
// the certificate that the gateway's own authority has issued before it ends.
type Server struct {
	cfg Config
	log *slog.Logger
	own *Authority // nil if every file is given

	mu      sync.Mutex
	current *tls.Config
	stamps  [3]stamp
	looked  time.Time
	warned  time.Time
	told    string // the last trouble
}

// stamp tells versions of a file apart.
type stamp struct {
	size int64
	at   time.Time
}

// NewServer reads the files, and creates those of the authority that are missing.
func NewServer(cfg Config, log *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: log}
	if cfg.Cert == "" || cfg.ClientAuth != tls.NoClientCert && cfg.ClientCA == "" {
		var err error
		if s.own, err = Open(cfg.Dir, cfg.Name); err != nil {
			return nil, err
		}
	}
	if cfg.Cert == "" {
		s.cfg.Cert, s.cfg.Key = s.own.server(), s.own.server()
		if err := s.renew(s.missesHosts()); err != nil {
			return nil, err
		}
	}
	if s.cfg.ClientCA == "" && s.own != nil {
		s.cfg.ClientCA = s.own.Certificate()
	}
	if err := s.reload(); err != nil {
		return nil, err
	}
	s.warn(time.Now())
	return s, nil
}

// TLS returns the configuration for a listener.
func (s *Server) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return s.latest(), nil
	}}
}

// latest looks whether files have changed and returns the configuration made of
// them; while they are broken, the one before.
func (s *Server) latest() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.looked) < lookEvery {
		return s.current
	}
	s.looked = now
	err := s.reload()
	if err == nil && s.isOwn() {
		if err = s.renew(s.due()); err == nil {
			err = s.reload()
		}
	}
	s.complain(err)
	s.warn(now)
	return s.current
}

func (s *Server) isOwn() bool { return s.own != nil && s.cfg.Cert == s.own.server() }

// missesHosts reports whether the broker needs another certificate at the start:
// there is none, or it lacks one of the names of this machine.
func (s *Server) missesHosts() bool {
	cert, err := ReadCertificate(s.cfg.Cert)
	if err != nil {
		return true
	}
	for _, host := range Hosts(s.cfg.Hosts) {
		if cert.VerifyHostname(host) != nil {
			return true
		}
	}
	return cert.CheckSignatureFrom(s.own.cert) != nil || s.ends(cert)
}

func (s *Server) due() bool { return s.ends(s.current.Certificates[0].Leaf) }

func (s *Server) ends(c *x509.Certificate) bool { return time.Until(c.NotAfter) < renewBefore }

func (s *Server) renew(due bool) error {
	if !due {
		return nil
	}
	if err := s.own.Server(Hosts(s.cfg.Hosts)); err != nil {
		return err
	}
	s.log.Info("issued a certificate for the broker", "file", s.own.server(), "authority", s.own.Certificate())
	return nil
}

// reload reads the files again if they are others than last time.
func (s *Server) reload() error {
	stamps, err := s.look()
	if err != nil || stamps == s.stamps {
		return err
	}
	pair, err := tls.LoadX509KeyPair(s.cfg.Cert, s.cfg.Key)
	if err != nil {
		return fmt.Errorf("certificate of the broker: %w", err)
	}
	next := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientAuth: s.cfg.ClientAuth}
	if s.cfg.ClientAuth != tls.NoClientCert {
		text, err := os.ReadFile(s.cfg.ClientCA)
		if err != nil {
			return fmt.Errorf("authority of clients: %w", err)
		}
		next.ClientCAs = x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("authority of clients: %s holds no certificate in PEM form", s.cfg.ClientCA)
		}
	}
	s.current, s.stamps = next, stamps
	return nil
}

func (s *Server) look() (stamps [3]stamp, err error) {
	for i, path := range []string{s.cfg.Cert, s.cfg.Key, s.cfg.ClientCA} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return stamps, err
		}
		stamps[i] = stamp{info.Size(), info.ModTime()}
	}
	return stamps, nil
}

// complain logs a trouble when it is new.
func (s *Server) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != s.told {
		s.log.Warn("cannot use the certificates as they are now, the former ones stay", "err", err)
	}
	s.told = text
}

// warn tells once a day that the certificate ends.
func (s *Server) warn(now time.Time) {
	leaf := s.current.Certificates[0].Leaf
	if text := Ending(leaf, now); text != "" && now.Sub(s.warned) >= warnEvery {
		s.warned = now
		s.log.Warn("the certificate of the broker "+text, "file", s.cfg.Cert)
	}
}

// Ending says that a certificate has ended or soon will, or is not valid yet;
// empty for one that is good for a while.
func Ending(c *x509.Certificate, now time.Time) string {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case now.After(c.NotAfter):
		return "ended on " + day(c.NotAfter)
	case c.NotAfter.Sub(now) < WarnBefore:
		return "ends on " + day(c.NotAfter)
	case now.Before(c.NotBefore):
		return "is valid from " + day(c.NotBefore) + " only: is the clock right?"
	}
	return ""
}
