package upstream_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

func TestConnectPacket(t *testing.T) {
	s := listen(t)
	p, got, result := s.dial(upstream.Config{
		ClientID: "gw-1", Username: "u", Password: "pw", KeepAlive: 30 * time.Second,
	}, &topic.Message{Topic: "st", Payload: []byte("{}"), QoS: 1, Retain: true})
	want := "\x00\x04MQTT\x04\xee\x00\x1e" + "\x00\x04gw-1" + "\x00\x02st" + "\x00\x02{}" + "\x00\x01u" + "\x00\x02pw"
	if !bytes.Equal(got.body, []byte(want)) {
		t.Errorf("CONNECT %q\n   want %q", got.body, want)
	}
	p.send(connack, 0, 0)
	d := <-result
	if d.err != nil {
		t.Fatal(d.err)
	}
	if err := d.session.Close(t.Context()); err != nil {
		t.Error(err)
	}
	p.next(disconnect)
	p.gone()
}

func TestConnectPacketWithDefaults(t *testing.T) {
	s := listen(t)
	p, got, result := s.dial(upstream.Config{ClientID: "gw"}, nil)
	if want := "\x00\x04MQTT\x04\x02\x00\x3c\x00\x02gw"; !bytes.Equal(got.body, []byte(want)) {
		t.Errorf("CONNECT %q\n   want %q", got.body, want)
	}
	p.cut()
	if d := <-result; d.err == nil {
		t.Error("Dial succeeded without a CONNACK")
	}
}

func TestDialSaysWhatToChange(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer []byte
		want   string
	}{
		{"version", []byte{0x20, 2, 0, 1}, "MQTT 3.1.1"},
		{"client id", []byte{0x20, 2, 0, 2}, `client id "gw"`},
		{"unavailable", []byte{0x20, 2, 0, 3}, "not available"},
		{"credentials", []byte{0x20, 2, 0, 4}, "user name and password"},
		{"authorisation", []byte{0x20, 2, 0, 5}, "does not authorise"},
		{"code that is not defined", []byte{0x20, 2, 0, 0x87}, "code 135"},
		{"hangs up", nil, "closed the connection"},
		{"another packet first", []byte{0xd0, 0}, "CONNECT"},
		{"not MQTT", []byte("HTTP/1.1 400 Bad Request"), "has no place here"},
		{"endless length", []byte{0x20, 0x80, 0x80, 0x80, 0x80, 1}, "length"},
		{"256 MB", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}, "268435455 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t)
			p, _, result := s.dial(upstream.Config{ClientID: "gw", Username: "u", Password: "secret"}, nil)
			p.conn.Write(tt.answer)
			if tt.answer == nil {
				p.conn.Close()
			}
			d := <-result
			if d.err == nil || d.session != nil || !strings.Contains(d.err.Error(), tt.want) {
				t.Fatalf("Dial: %v, want an error with %q", d.err, tt.want)
			}
			if strings.Contains(d.err.Error(), "secret") {
				t.Error("the password shows up in the error")
			}
			p.gone()
		})
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	s := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := open(ctx, upstream.Config{URL: s.url(), ClientID: "gw"}, nil)
		result <- err
	}()
	p := s.accept()
	p.next(connect)
	cancel()
	if err := <-result; err == nil || !strings.Contains(err.Error(), "no answer to CONNECT") {
		t.Errorf("Dial: %v", err)
	}
	p.gone()
	if _, err := open(ctx, upstream.Config{URL: s.url()}, nil); err == nil {
		t.Error("Dial ignores an ended context")
	}
}

func TestDialRefusesAddresses(t *testing.T) {
	for _, url := range []string{"", "broker:1883", "http://broker", "mqtt://", "mqtt://user:secret@broker", "mqtts://user:secret@[::1"} {
		_, err := open(t.Context(), upstream.Config{URL: url}, nil)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestTLS(t *testing.T) {
	s := listen(t)
	cert, roots := selfSigned(t, "broker.test")
	names := make(chan string, 1)
	accepted := make(chan *peer, 1)
	go func() {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		secure := tls.Server(conn, &tls.Config{
			Certificates: []tls.Certificate{cert},
			GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				names <- h.ServerName
				if min(h.SupportedVersions[0], h.SupportedVersions[len(h.SupportedVersions)-1]) < tls.VersionTLS12 {
					t.Errorf("client offers TLS versions %x", h.SupportedVersions)
				}
				return nil, nil
			},
		})
		p := newPeer(t, secure)
		p.read()
		p.send(connack, 0, 0)
		accepted <- p
	}()
	session, err := open(t.Context(), upstream.Config{
		URL: "mqtts://" + s.ln.Addr().String(), ClientID: "gw", TLS: &tls.Config{RootCAs: roots, ServerName: "broker.test"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := <-accepted
	if name := <-names; name != "broker.test" {
		t.Errorf("server name %q", name)
	}
	acked := session.Publish(topic.Message{Topic: "a", Payload: []byte("1")})
	_, id := p.nextPublish()
	p.send(puback, id...)
	if err := value(t, acked); err != nil {
		t.Error(err)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Error(err)
	}
	p.next(disconnect)
	p.gone()
}

func TestTLSDistrustsUnknownRoots(t *testing.T) {
	s := listen(t)
	cert, _ := selfSigned(t, "broker.test")
	go func() {
		if conn, err := s.ln.Accept(); err == nil {
			tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}}).Handshake()
			conn.Close()
		}
	}()
	_, err := open(t.Context(), upstream.Config{URL: "mqtts://" + s.ln.Addr().String(), ClientID: "gw"}, nil)
	if err == nil || !strings.Contains(err.Error(), "TLS with") {
		t.Errorf("Dial: %v", err)
	}
}

// selfSigned makes a certificate for host and the pool that trusts it.
func selfSigned(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
