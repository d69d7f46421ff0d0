package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sluice/mapping"
)

// TLS is how a bridge trusts its brokers and proves itself to them.
type TLS struct {
	CA         string // path of a PEM file; empty for the system's authorities
	Cert, Key  string // paths of the client's certificate and key; empty for none
	ServerName string // that the certificate is for; empty: the host of the URL
	ALPN       []string
	Curves     []tls.CurveID // in order of preference; empty: all
	Resume     bool          // later connections need no certificates
}

// Proxy is what a bridge's connections lead through.
type Proxy struct {
	URL                        string // http://host:port or socks5://host:port; empty: none
	Username                   string
	UsernameFile, PasswordFile string // paths; empty for none
}

// schemes are those of brokers, with their ports.
func schemes() map[string]string {
	return map[string]string{"mqtt": "1883", "mqtts": "8883", "ws": "80", "wss": "443"}
}

// webSocket reports whether an address is that of a WebSocket, and so may have a
// path.
func webSocket(u *url.URL) bool { return u.Scheme == "ws" || u.Scheme == "wss" }

// brokerURL reads the address of a broker upstream and adds what is usual.
func (r *reader) brokerURL(n mapping.Node, plaintext bool) string {
	s := n.Text()
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" {
		n.Problem("write "+guessURL(s), "%q is not the address of a broker", s)
		return ""
	}
	path := strings.Trim(u.Path, "/") != "" || u.RawQuery != ""
	switch {
	case schemes()[u.Scheme] == "":
		n.Problem("write "+guessURL(s), "%q: scheme %q is not known", s, u.Scheme)
	case u.User != nil:
		n.Problem("use the keys username and password", "a password does not belong into the address")
	case path && !webSocket(u):
		n.Problem("write only the host and the port", "%q has a path", s)
	case !path && webSocket(u):
		u.Path = "/mqtt"
	case u.Scheme == "mqtt" && !plaintext && !isLoopback(u.Hostname()):
		n.Problem("write mqtts://, or add allow_plaintext: true if the way there is protected otherwise, such as by a VPN",
			"mqtt:// to %s sends everything unencrypted", u.Hostname())
	}
	if u.Scheme == "ws" && !plaintext && !isLoopback(u.Hostname()) {
		n.Problem("write wss://, or add allow_plaintext: true if the way there is protected otherwise, such as by a VPN",
			"ws:// to %s sends everything unencrypted", u.Hostname())
	}
	withPort(n, u, schemes()[u.Scheme])
	address := u.Scheme + "://" + u.Host
	r.checkOwnBroker(n, address)
	if webSocket(u) {
		address += u.RequestURI()
	}
	return address
}

// withPort checks the port of an address, or adds the usual one.
func withPort(n mapping.Node, u *url.URL, usual string) {
	p := u.Port()
	if p == "" {
		u.Host = net.JoinHostPort(u.Hostname(), usual)
		return
	}
	if number, err := strconv.Atoi(p); err != nil || number < 1 || number > 65535 {
		n.Problem("write a port from 1 to 65535, e.g. "+usual, "%q is not a port", p)
	}
}

// proxy reads what connections lead through.
func (r *reader) proxy(n mapping.Node) Proxy {
	if !n.Present() {
		return Proxy{}
	}
	m := n.Map("url", "username", "password")
	at := m.Need("url", "http://192.0.2.3:3128")
	p := Proxy{URL: proxyURL(at), PasswordFile: r.password(m.Get("password"))}
	p.Username, p.UsernameFile = r.username(m.Get("username"))
	if password := m.Get("password"); p.PasswordFile != "" && p.Username == "" && p.UsernameFile == "" {
		password.Problem("add username", "a password goes with a user name")
	}
	return p
}

func proxyURL(n mapping.Node) string {
	s := n.Text()
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	ports := map[string]string{"http": "3128", "socks5": "1080"}
	switch {
	case err != nil || u.Hostname() == "" || ports[u.Scheme] == "" || strings.Trim(u.Path, "/") != "":
		n.Problem("write http://host:3128 or socks5://host:1080", "%q is not the address of a proxy", s)
		return ""
	case u.User != nil:
		n.Problem("use the keys username and password", "a password does not belong into the address")
		return ""
	}
	withPort(n, u, ports[u.Scheme])
	return u.Scheme + "://" + u.Host
}

func (r *reader) tls(b *Bridge, n mapping.Node) {
	m := n.Map("ca", "cert", "key", "server_name", "alpn", "curves", "resumption")
	t := TLS{CA: r.credential(m.Get("ca")), Cert: r.credential(m.Get("cert")), Key: r.credential(m.Get("key"))}
	if m.Get("cert").Present() != m.Get("key").Present() {
		n.Problem("give both, or neither", "a certificate needs its key and the key its certificate")
	}
	if !r.desk {
		checkAuthorities(m.Get("ca"), t.CA)
		checkPair(m.Get("cert"), t.Cert, t.Key)
	}
	t.ServerName = m.Get("server_name").Text()
	for _, item := range m.Get("alpn").Seq() {
		name := item.Text()
		if name == "" || len(name) > 255 {
			item.Problem("write the name of a protocol, e.g. mqtt", "%q is none", name)
		}
		t.ALPN = append(t.ALPN, name)
	}
	for _, item := range m.Get("curves").Seq() {
		t.Curves = append(t.Curves, curve(item))
	}
	t.Resume = m.Get("resumption").Bool(true)
	b.TLS = t
	if n.Present() && (strings.HasPrefix(b.URL, "mqtt:") || strings.HasPrefix(b.URL, "ws:")) {
		scheme, _, _ := strings.Cut(b.URL, ":")
		n.Problem(fmt.Sprintf("write %ss:// in url, or leave tls out", scheme), "the address begins with %s://, which is not encrypted", scheme)
	}
}

// curve reads what keys are agreed on with. The first costs 1.2 KB each way.
func curve(n mapping.Node) tls.CurveID {
	switch n.Choice("x25519mlkem768", "x25519", "p256", "p384", "p521") {
	case "x25519":
		return tls.X25519
	case "p256":
		return tls.CurveP256
	case "p384":
		return tls.CurveP384
	case "p521":
		return tls.CurveP521
	default:
		return tls.X25519MLKEM768
	}
}

// username reads a user name, or the file that it is kept in.
func (r *reader) username(n mapping.Node) (name, file string) {
	if !n.Present() || n.IsScalar() {
		return n.Text(), ""
	}
	return "", r.secret(n)
}

// password reads where the password is kept: a file that only its owner can
// read.
func (r *reader) password(n mapping.Node) string {
	if n.Present() && n.IsScalar() {
		n.Problem("write it to a file of its own and give password: {file: secrets/cloud}", "a password does not belong into the site file")
		return ""
	}
	return r.secret(n)
}

// secret returns the path of a file with something secret in its first line, or
// of a credential that systemd hands over.
func (r *reader) secret(n mapping.Node) string {
	if !n.Present() {
		return ""
	}
	m := n.Map("file", "credential")
	file := m.Get("file")
	var path string
	switch credential := m.Get("credential"); {
	case credential.Present() && file.Present():
		n.Problem("keep one of the two", "a secret is in a file, or in a credential")
	case credential.Present():
		file = credential
		path = r.handedOver(credential)
	default:
		path = r.readable(m.Need("file", "secrets/cloud"))
		if info, err := os.Stat(path); err == nil && !r.desk && info.Mode().Perm()&0o007 != 0 {
			file.Problem("chmod o-rwx "+path, "every user of this machine can read %s", path)
		}
	}
	if path != "" && !r.desk {
		checkPassword(file, path)
	}
	return path
}

// credential returns the path that stands at n, or that of a credential.
func (r *reader) credential(n mapping.Node) string {
	if !n.Present() || n.IsScalar() {
		return r.readable(n)
	}
	return r.handedOver(n.Map("credential").Need("credential", "gateway.key"))
}

// handedOver returns the path of a credential of the service (systemd.exec(5),
// LoadCredential=).
func (r *reader) handedOver(n mapping.Node) string {
	name, dir := n.Text(), os.Getenv("CREDENTIALS_DIRECTORY")
	switch {
	case name == "" || strings.ContainsAny(name, "/\\") || name == "..":
		if name != "" {
			n.Problem("write the name that LoadCredential= gives it", "%q is not the name of a credential", name)
		}
		return ""
	case r.desk:
		return filepath.Join(dir, name)
	case dir == "":
		n.Problem("run it by systemd with LoadCredential="+name+":PATH, or give a file", "no credentials are handed over: $CREDENTIALS_DIRECTORY is not set")
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		n.Problem("add LoadCredential="+name+":PATH to the service", "%s", err)
		return ""
	}
	return path
}
