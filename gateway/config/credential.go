package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"

	"sluice/mapping"
)

// maxCredential bounds a password or certificate file; the authorities of a whole
// system have 250 KB.
const maxCredential = 1 << 20

// checkPassword reports a password file that nothing can come of.
func checkPassword(n mapping.Node, path string) {
	text, err := readBounded(path)
	if err != nil {
		return // reported already
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSuffix(first, []byte("\r"))
	switch {
	case len(bytes.TrimSpace(first)) == 0:
		n.Problem("write the password into its first line", "%s has no password in its first line", path)
	case len(bytes.TrimSpace(first)) < len(first):
		n.Warn("take them away, unless they belong to the password", "the password in %s has spaces around it", path)
	}
}

// checkAuthorities reports a file without a certificate.
func checkAuthorities(n mapping.Node, path string) {
	text, err := readBounded(path)
	if err != nil || path == "" {
		return
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		n.Problem(pemFix(text, "the certificate"), "%s holds no certificate", path)
	}
}

// checkPair reports a certificate and a key that do not belong together.
func checkPair(n mapping.Node, cert, key string) {
	c, err := readBounded(cert)
	k, keyErr := readBounded(key)
	if err != nil || keyErr != nil || cert == "" || key == "" {
		return
	}
	if _, err := tls.X509KeyPair(c, k); err != nil {
		n.Problem("check that cert is the certificate and key its key without a password, both in PEM", "%s and %s: %s", cert, key, err)
	}
}

// pemFix says how a file that is not what it should be becomes it.
func pemFix(text []byte, what string) string {
	if len(text) > 1 && text[0] == 0x30 && text[1] >= 0x80 {
		return "it is DER: openssl x509 -inform der -in FILE -out FILE.pem makes PEM of it"
	}
	if block, _ := pem.Decode(text); block != nil {
		return "name the file with " + what + ": this one begins with " + block.Type
	}
	return "name a file in PEM, which begins with -----BEGIN CERTIFICATE-----"
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxCredential))
}
