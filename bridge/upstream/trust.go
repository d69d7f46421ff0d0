package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// tlsError says what a technician has to change after a handshake that failed on
// this side. What it was made of is left out: it names moments and ports, and so
// would be news each time.
func tlsError(err error, host string) error {
	var fix string
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		fix = "give tls the ca that signed its certificate"
		if e.Cert != nil {
			fix = fmt.Sprintf("give tls the ca that signed its certificate: issuer %q", e.Cert.Issuer)
		}
	} else if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		fix = fmt.Sprintf("its certificate is valid from %s to %s: its operator must renew it, or the clock here is wrong (today is %s)",
			day(e.Cert.NotBefore), day(e.Cert.NotAfter), day(time.Now()))
	} else if e, ok := errors.AsType[x509.HostnameError](err); ok {
		fix = fmt.Sprintf("its certificate is for %s: write that name in url, or as server_name of tls", names(e.Certificate))
	} else if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		fix = "it does not speak TLS there: check the port of url, or write mqtt:// or ws://"
	} else if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		fix = "it hung up: check that the port of url is that of TLS"
	} else if fix = alert(err); fix == "" {
		return fmt.Errorf("TLS with %s: %w", host, err)
	}
	return fmt.Errorf("TLS with %s: %s", host, fix)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// names lists what a certificate is for.
func names(c *x509.Certificate) string {
	all := c.DNSNames
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host name at all"
	}
	return strings.Join(all[:min(len(all), 5)], ", ")
}

// alert says what the other side complains of (RFC 8446, 6.2), and what has to be
// changed; empty if it does not. With TLS 1.3 it complains of the client's
// certificate only after the handshake.
func alert(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	said := strings.TrimPrefix(op.Err.Error(), "tls: ")
	fixes := map[string]string{
		"certificate required":           "give tls the cert and key of this gateway",
		"bad certificate":                "give tls the cert and key that its operator has registered for this gateway",
		"unsupported certificate":        "give tls a cert for clients (extended key usage clientAuth)",
		"revoked certificate":            "ask its operator for another cert",
		"expired certificate":            "renew cert of tls, or set the clock",
		"unknown certificate":            "give tls the cert that its operator has registered for this gateway",
		"unknown certificate authority":  "its operator must trust the authority that signed cert of tls",
		"access denied":                  "its operator must permit the cert of this gateway",
		"unrecognized name":              "give tls the server_name that it expects",
		"no application protocol":        "give tls the alpn that it expects",
		"protocol version not supported": "its operator must allow TLS 1.2 or newer",
		"handshake failure":              "check curves of tls, and whether it wants a cert",
	}
	fix, known := fixes[said]
	if !known {
		fix = "ask its operator for the reason"
	}
	return fmt.Sprintf("it says %q: %s", said, fix)
}
