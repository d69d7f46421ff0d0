// Package certs keeps the certificates of the LAN broker: an authority of the
// gateway's own in a folder, what it issues, and the TLS configuration that takes
// renewed files into use while the broker runs. It knows neither MQTT nor the site
// file.
package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"sluice/gateway/durable"
)

// Files in the folder of an authority. A certificate and its key are in one file
// where one process replaces it under another that reads it.
const (
	authorityFile = "ca.pem"
	publicFile    = "ca.crt" // what clients trust
	serverFile    = "server.pem"
	clientFolder  = "clients"
)

// Lifetimes.
const (
	authorityLife = 20 * 365 * 24 * time.Hour
	serverLife    = 820 * 24 * time.Hour // clients of Apple take no more than 825 days
	clientLife    = 5 * 365 * 24 * time.Hour
	backdated     = 48 * time.Hour // clients' clocks may be behind
	renewBefore   = 60 * 24 * time.Hour
)

// WarnBefore is how long before its end a certificate is worth a warning. The
// gateway renews its own ones sooner.
const WarnBefore = 30 * 24 * time.Hour

// notBefore is later than the clock of a board that has not been set yet.
var notBefore = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Authority issues certificates for the broker and for its clients.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// Open returns the authority in the folder dir, and creates both if they are
// missing; name is what people see of it.
func Open(dir, name string) (*Authority, error) {
	a, err := load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		a, err = create(dir, name)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, a.publish()
}

// Exists reports whether there is an authority in the folder dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, authorityFile))
	return err == nil
}

func load(dir string) (*Authority, error) {
	path := filepath.Join(dir, authorityFile)
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("%s is not that of an authority", path)
	}
	return &Authority{dir, pair.Leaf, key}, nil
}

func create(dir, name string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a := &Authority{dir: dir}
	cert, key, err := a.issue(template, authorityLife)
	if err != nil {
		return nil, err
	}
	if err := durable.WriteFile(filepath.Join(dir, authorityFile), append(cert, key...), 0o600); err != nil {
		return nil, err
	}
	return load(dir)
}

// publish writes the certificate of the authority for those who are to trust it.
func (a *Authority) publish() error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if there, err := os.ReadFile(a.Certificate()); err == nil && bytes.Equal(there, text) {
		return nil
	}
	return durable.WriteFile(a.Certificate(), text, 0o644)
}

// Certificate returns the path of the authority's certificate, which clients need.
func (a *Authority) Certificate() string { return filepath.Join(a.dir, publicFile) }

func (a *Authority) server() string { return filepath.Join(a.dir, serverFile) }

// Server issues the certificate of the broker, for host names and IP addresses,
// in place of the one there is.
func (a *Authority) Server(names []string) error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Sluice broker"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, key, err := a.issue(template, serverLife)
	if err != nil {
		return fmt.Errorf("certificate of the broker: %w", err)
	}
	return durable.WriteFile(a.server(), append(cert, key...), 0o600)
}

// Client issues a certificate for the user name, in place of the one there is,
// and returns the paths of the certificate and of its key.
func (a *Authority) Client(name string) (cert, key string, err error) {
	if name != filepath.Base(name) || name == "." {
		return "", "", fmt.Errorf("%q cannot be the name of a file", name)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	certPEM, keyPEM, err := a.issue(template, clientLife)
	if err != nil {
		return "", "", fmt.Errorf("certificate of %s: %w", name, err)
	}
	dir := filepath.Join(a.dir, clientFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	return cert, key, errors.Join(durable.WriteFile(key, keyPEM, 0o600), durable.WriteFile(cert, certPEM, 0o644))
}

// issue signs a certificate and its new key; an authority that has no certificate
// yet signs its own.
func (a *Authority) issue(template *x509.Certificate, life time.Duration) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now()
	if now.Before(notBefore) {
		now = notBefore
	}
	template.NotBefore, template.NotAfter = now.Add(-backdated), now.Add(life)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, private
	} else if template.NotAfter.After(parent.NotAfter) {
		template.NotAfter = parent.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}

// Issued is a certificate in the folder of an authority.
type Issued struct {
	File  string // relative to the folder
	Name  string // common name
	Hosts []string
	Until time.Time

	cert *x509.Certificate
}

// Ending is what Ending says of the certificate.
func (i Issued) Ending(now time.Time) string { return Ending(i.cert, now) }

// IsServer reports whether the certificate is the broker's.
func (i Issued) IsServer() bool { return i.File == serverFile }

// IsAuthority reports whether the certificate is the authority's own.
func (i Issued) IsAuthority() bool { return i.File == publicFile }

// Covers reports whether the certificate is for a host name or an IP address.
func (i Issued) Covers(host string) bool { return i.cert.VerifyHostname(host) == nil }

// List returns the certificates in the folder dir of an authority: its own, the
// broker's and the clients'. It changes nothing.
func List(dir string) ([]Issued, error) {
	clients, err := filepath.Glob(filepath.Join(dir, clientFolder, "*.crt"))
	if err != nil {
		return nil, err
	}
	var all []Issued
	for _, path := range append([]string{filepath.Join(dir, publicFile), filepath.Join(dir, serverFile)}, clients...) {
		cert, err := ReadCertificate(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		file, _ := filepath.Rel(dir, path)
		all = append(all, Issued{file, cert.Subject.CommonName, hosts(cert), cert.NotAfter, cert})
	}
	return all, nil
}

func hosts(c *x509.Certificate) []string {
	list := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	return list
}

// ReadCertificate returns the first certificate of a PEM file.
func ReadCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
}
