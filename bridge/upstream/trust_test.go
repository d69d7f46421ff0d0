package upstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
	pair := a.issue(template, time.Hour)
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue signs a certificate that is valid for so long from an hour ago; without a
// key of its own the authority signs its own.
func (a *authority) issue(template *x509.Certificate, left time.Duration) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(left)
	parent, signer := template, key
	if a.key != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func TestTLSSaysWhatToChange(t *testing.T) {
	ours, theirs := newAuthority(t, "Plant CA"), newAuthority(t, "Another CA")
	server := func(name string, left time.Duration) tls.Certificate {
		return ours.issue(&x509.Certificate{DNSNames: []string{name}}, left)
	}
	good := server("broker.test", time.Hour)
	mutual := &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.pool()}
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	client := func(a *authority, left time.Duration) []tls.Certificate {
		return []tls.Certificate{a.issue(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, left)}
	}
	for _, tt := range []struct {
		name   string
		server *tls.Config
		client *tls.Config
		want   string
	}{
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, &tls.Config{RootCAs: theirs.pool()}, `give tls the ca that signed its certificate: issuer "CN=Plant CA"`},
		{"expired", &tls.Config{Certificates: []tls.Certificate{server("broker.test", -time.Minute)}}, &tls.Config{RootCAs: ours.pool()}, "renew it, or the clock here is wrong"},
		{"another name", &tls.Config{Certificates: []tls.Certificate{server("other.test", time.Hour)}}, &tls.Config{RootCAs: ours.pool()}, "is for other.test: write that name in url, or as server_name"},
		{"no certificate", mutual, &tls.Config{RootCAs: ours.pool()}, "give tls the cert and key of this gateway"},
		{"no certificate, TLS 1.2", mutual12, &tls.Config{RootCAs: ours.pool()}, "cert"},
		{"certificate of strangers", mutual, &tls.Config{RootCAs: ours.pool(), Certificates: client(theirs, time.Hour)}, "give tls the cert and key"},
		{"protocol", &tls.Config{Certificates: []tls.Certificate{good}, NextProtos: []string{"x-amzn-mqtt-ca"}}, &tls.Config{RootCAs: ours.pool(), NextProtos: []string{"mqtt"}}, "give tls the alpn"},
		{"curves", &tls.Config{Certificates: []tls.Certificate{good}, CurvePreferences: []tls.CurveID{tls.CurveP521}}, &tls.Config{RootCAs: ours.pool(), CurvePreferences: []tls.CurveID{tls.X25519}}, "check curves of tls"},
		{"not TLS", nil, &tls.Config{RootCAs: ours.pool()}, "does not speak TLS there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t)
			go func() {
				conn, err := s.ln.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				if tt.server == nil {
					conn.Write([]byte("\x20\x02\x00\x00 no TLS"))
					conn.Read(make([]byte, 1<<10))
					return
				}
				if secure := tls.Server(conn, tt.server); secure.Handshake() == nil {
					secure.Read(make([]byte, 1))
				}
			}()
			cfg := tt.client.Clone()
			cfg.ServerName = "broker.test"
			_, err := open(t.Context(), upstream.Config{URL: "mqtts://" + s.ln.Addr().String(), ClientID: "gw", TLS: cfg}, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open: %v\n want an error with %q", err, tt.want)
			}
		})
	}
}

// TestResumption connects twice: the second time without certificates.
func TestResumption(t *testing.T) {
	ours := newAuthority(t, "Plant CA")
	server := &tls.Config{Certificates: []tls.Certificate{ours.issue(&x509.Certificate{DNSNames: []string{"broker.test"}}, time.Hour)}}
	cfg := upstream.Config{ClientID: "gw", TLS: &tls.Config{
		RootCAs: ours.pool(), ServerName: "broker.test", ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}}
	s := listen(t)
	cfg.URL = "mqtts://" + s.ln.Addr().String()
	for attempt, want := range []bool{false, true} {
		resumed := make(chan bool, 1)
		go func() {
			conn, err := s.ln.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(patience))
			secure := tls.Server(conn, server)
			p := newPeer(t, secure)
			p.read()
			resumed <- secure.ConnectionState().DidResume
			p.send(connack, 0, 0)
			p.read()
			conn.Close()
		}()
		session, err := open(t.Context(), cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := <-resumed; got != want {
			t.Errorf("connection %d: resumed %v", attempt+1, got)
		}
		session.Close(t.Context())
	}
}
