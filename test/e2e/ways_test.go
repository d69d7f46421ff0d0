//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// certificates makes two authorities, and certificates of the first in a folder:
//
//	ca.crt, strangers.crt    the authorities
//	server, expired, other   .crt and .key: for localhost, also, but expired, for other.test
//	client                   .crt and .key, of the gateway plant
//
//	certify DIR
func certificates(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ca := certify(ts, dir, "ca", nil, &x509.Certificate{Subject: pkix.Name{CommonName: "Plant CA"}, IsCA: true, BasicConstraintsValid: true})
	certify(ts, dir, "strangers", nil, &x509.Certificate{Subject: pkix.Name{CommonName: "Strangers"}, IsCA: true, BasicConstraintsValid: true})
	local := func() *x509.Certificate {
		return &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	}
	expired := local()
	expired.NotAfter = time.Now().Add(-time.Minute)
	certify(ts, dir, "server", ca, local())
	certify(ts, dir, "expired", ca, expired)
	certify(ts, dir, "other", ca, &x509.Certificate{DNSNames: []string{"other.test"}})
	certify(ts, dir, "client", ca, &x509.Certificate{Subject: pkix.Name{CommonName: "plant"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// signer is a certificate with its key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certify writes a certificate, signed by itself if by nobody else, and its key.
func certify(ts *testscript.TestScript, dir, name string, by *signer, template *x509.Certificate) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-time.Hour)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if by == nil {
		by = &signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, &key.PublicKey, by.key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	path := filepath.Join(dir, name)
	ts.Check(os.WriteFile(path+".crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	ts.Check(os.WriteFile(path+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o640))
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	return &signer{cert, key}
}

// proxy starts a real proxy on loopback that asks for user and password:
// tinyproxy for http, microsocks for socks5.
//
//	proxy http|socks5 PORT USER PASSWORD
func proxy(ts *testscript.TestScript, neg bool, args []string) {
	kind, port, user, password := args[0], args[1], args[2], args[3]
	if kind == "socks5" {
		start(ts, "microsocks", "-i", "127.0.0.1", "-p", port, "-u", user, "-P", password)
	} else {
		conf := fmt.Sprintf("Port %s\nListen 127.0.0.1\nTimeout 600\nBasicAuth %s %s\n", port, user, password)
		file := ts.MkAbs("tinyproxy-" + port + ".conf")
		ts.Check(os.WriteFile(file, []byte(conf), 0o644))
		start(ts, "tinyproxy", "-d", "-c", file)
	}
	eventually(ts, "the proxy on port "+port, func() bool { return listening(port) })
}
