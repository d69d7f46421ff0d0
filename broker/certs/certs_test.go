package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/certs"
)

var silent = slog.New(slog.DiscardHandler)

func server(t *testing.T, cfg certs.Config, log *slog.Logger) *certs.Server {
	t.Helper()
	s, err := certs.NewServer(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handshake connects a client and returns what each side saw of the other.
func handshake(t *testing.T, s *certs.Server, client *tls.Config) (seen, user *x509.Certificate, err error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	deadline := time.Now().Add(time.Second) // where both sides write at once, a pipe stands still
	_ = near.SetDeadline(deadline)
	_ = far.SetDeadline(deadline)
	c, b := tls.Client(far, client), tls.Server(near, s.TLS())
	ended := make(chan error, 1)
	go func() {
		err := b.Handshake()
		if err == nil {
			_, err = b.Write([]byte("x")) // a refusal in TLS 1.3 comes behind the client's handshake
		}
		near.Close()
		ended <- err
	}()
	err = c.Handshake()
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	far.Close()
	<-ended
	if err != nil {
		return nil, nil, err
	}
	if peers := b.ConnectionState().PeerCertificates; len(peers) > 0 {
		user = peers[0]
	}
	return c.ConnectionState().PeerCertificates[0], user, nil
}

func trust(t *testing.T, path string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// TestOwnAuthority: made at the first start, kept at the next, trusted by names
// and addresses, and private.
func TestOwnAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	cfg := certs.Config{Dir: dir, Name: "Sluice dairy", Hosts: []string{"gw.example.com", "192.0.2.7"}}
	first := server(t, cfg, silent)
	trusted := trust(t, filepath.Join(dir, "ca.crt"))
	before, _, err := handshake(t, first, trusted)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gw.example.com", "192.0.2.7", "127.0.0.1", "localhost"} {
		if err := before.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	again, _, err := handshake(t, server(t, cfg, silent), trusted)
	if err != nil || !again.Equal(before) {
		t.Errorf("after a restart it is another certificate: %v", err)
	}
	cfg.Hosts = []string{"other.example.com"}
	other, _, err := handshake(t, server(t, cfg, silent), trusted)
	if err != nil || other.VerifyHostname("other.example.com") != nil {
		t.Errorf("a new name is missing: %v", err)
	}
	for file, want := range map[string]os.FileMode{"ca.pem": 0o600, "server.pem": 0o600, "ca.crt": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if _, _, err := handshake(t, first, &tls.Config{ServerName: "localhost"}); err == nil {
		t.Error("a client that does not know the authority trusts it")
	}
}

// TestClientCertificates: who must or may have one, and from whom.
func TestClientCertificates(t *testing.T) {
	dir, strange := t.TempDir(), t.TempDir()
	own, err := certs.Open(dir, "own")
	if err != nil {
		t.Fatal(err)
	}
	other, err := certs.Open(strange, "strange")
	if err != nil {
		t.Fatal(err)
	}
	pair := func(a *certs.Authority) tls.Certificate {
		cert, key, err := a.Client("panel")
		if err != nil {
			t.Fatal(err)
		}
		p, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	good, bad := pair(own), pair(other)
	broker, err := tls.LoadX509KeyPair(func() (string, string) {
		if err := own.Server([]string{"localhost"}); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.pem")
	}())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what  string
		ask   tls.ClientAuthType
		ca    string
		shown []tls.Certificate
		user  string
		ok    bool
	}{
		{"required and shown", tls.RequireAndVerifyClientCert, "", []tls.Certificate{good}, "panel", true},
		{"required and missing", tls.RequireAndVerifyClientCert, "", nil, "", false},
		{"of a stranger", tls.RequireAndVerifyClientCert, "", []tls.Certificate{bad}, "", false},
		{"of a stranger that is trusted", tls.RequireAndVerifyClientCert, other.Certificate(), []tls.Certificate{bad}, "panel", true},
		{"of a server", tls.RequireAndVerifyClientCert, "", []tls.Certificate{broker}, "", false},
		{"optional and missing", tls.VerifyClientCertIfGiven, "", nil, "", true},
		{"optional and of a stranger", tls.VerifyClientCertIfGiven, "", []tls.Certificate{bad}, "", false},
		{"not asked for", tls.NoClientCert, "", []tls.Certificate{bad}, "", true},
	} {
		s := server(t, certs.Config{Dir: dir, ClientAuth: tt.ask, ClientCA: tt.ca}, silent)
		client := trust(t, own.Certificate())
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if len(tt.shown) == 0 {
				return &tls.Certificate{}, nil
			}
			return &tt.shown[0], nil
		}
		_, user, err := handshake(t, s, client)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.what, err)
		}
		if err == nil && (user != nil) != (tt.user != "") || user != nil && user.Subject.CommonName != tt.user {
			t.Errorf("%s: the user is %v", tt.what, user)
		}
	}
	if _, _, err := own.Client("../x"); err == nil {
		t.Error("a name led out of the folder")
	}
}

// TestRenewed: a file that is replaced is used without a restart, one that is
// broken is not, and the gateway's own certificate never ends.
func TestRenewed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(27 * 365 * 24 * time.Hour) // the clock of the bubble starts in 2000
		var log bytes.Buffer
		s := server(t, certs.Config{Dir: dir, Name: "x"}, slog.New(slog.NewTextHandler(&log, nil)))
		client := trust(t, filepath.Join(dir, "ca.crt"))
		client.Time = time.Now
		show := func() *x509.Certificate {
			t.Helper()
			c, _, err := handshake(t, s, client)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		before := show()
		own, err := certs.Open(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := own.Server([]string{"localhost", "new"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		renewed := show()
		if renewed.Equal(before) {
			t.Error("the renewed certificate is not used")
		}
		if err := os.WriteFile(filepath.Join(dir, "server.pem"), []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(5 * time.Second)
			if !show().Equal(renewed) {
				t.Error("a broken file was used")
			}
		}
		if n := strings.Count(log.String(), "former ones stay"); n != 1 {
			t.Errorf("%d complaints: %s", n, &log)
		}
		if err := own.Server([]string{"localhost"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(759 * 24 * time.Hour)
		late := show()
		time.Sleep(2 * 24 * time.Hour)
		if next := show(); next.Equal(late) || time.Until(next.NotAfter) < 800*24*time.Hour {
			t.Errorf("valid until %v, not renewed", next.NotAfter)
		}
		if strings.Contains(log.String(), "ends on") {
			t.Errorf("a warning although it is renewed: %s", &log)
		}
	})
}

// TestGivenEnds: of a certificate that somebody else must renew, the log tells
// once a day.
func TestGivenEnds(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(27 * 365 * 24 * time.Hour)
		own, err := certs.Open(dir, "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := own.Server([]string{"localhost"}); err != nil {
			t.Fatal(err)
		}
		given := filepath.Join(dir, "server.pem")
		var log bytes.Buffer
		s := server(t, certs.Config{Cert: given, Key: given}, slog.New(slog.NewTextHandler(&log, nil)))
		client := trust(t, own.Certificate())
		client.Time = time.Now
		for range 820 - 29 + 2 {
			if _, _, err := handshake(t, s, client); err != nil && time.Now().Before(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Fatal(err)
			}
			time.Sleep(24 * time.Hour)
		}
		if n := strings.Count(log.String(), "ends on"); n != 2 {
			t.Errorf("%d warnings: %s", n, &log)
		}
	})
}

func TestIssued(t *testing.T) {
	dir := t.TempDir()
	own, err := certs.Open(dir, "Sluice dairy")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Server([]string{"gw", "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := own.Client("panel"); err != nil {
		t.Fatal(err)
	}
	all, err := certs.List(dir)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	if all[0].File != "ca.crt" || all[0].Name != "Sluice dairy" || all[2].File != "clients/panel.crt" || all[2].Name != "panel" {
		t.Errorf("%+v", all)
	}
	if !slices.Equal(all[1].Hosts, []string{"gw", "192.0.2.1"}) {
		t.Errorf("%+v", all[1])
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "x.pem")
	if err := os.WriteFile(broken, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []certs.Config{
		{Cert: broken, Key: broken},
		{Cert: filepath.Join(dir, "none"), Key: broken},
		{Dir: dir, ClientAuth: tls.RequireAndVerifyClientCert, ClientCA: broken},
		{Dir: broken},
	} {
		if _, err := certs.NewServer(cfg, silent); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
