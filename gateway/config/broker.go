package config

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/broker"
	"sluice/broker/auth"
	"sluice/broker/certs"
	"sluice/broker/topic"
	"sluice/mapping"
)

// defaultListen is where the LAN broker serves when the file does not say.
const defaultListen = "127.0.0.1:1883"

// Broker is the broker on the LAN.
type Broker struct {
	Listen       []Listen
	TLS          BrokerTLS
	Users        []User
	PasswordFile string // path; empty for none
	Sessions     Sessions
	Limits       broker.Limits
}

// Listen is an address of the broker, and how it is served.
type Listen struct {
	Address   string             // host:port, or the path of a unix socket
	Mode      fs.FileMode        // of a unix socket
	TLS       bool               // see BrokerTLS
	Clients   tls.ClientAuthType // whether clients show certificates
	WebSocket bool
	Origins   []string     // pages that may speak WebSocket
	Plaintext bool         // TLS is missing off loopback, and that is meant
	Anonymous *auth.Rights // of clients without a user name; nil: they are refused
}

// BrokerTLS are the certificates of the LAN broker. What is empty is the gateway's
// own.
type BrokerTLS struct {
	Cert, Key string   // paths
	ClientCA  string   // path of the authorities of clients
	Names     []string // of this machine, for the gateway's own certificate
}

// User is somebody who may enter the LAN broker.
type User struct {
	Name         string
	PasswordFile string // path; empty if the user has none there
	Rights       auth.Rights
}

// Readers are the rights of users for whom the site file says nothing else.
func Readers() auth.Rights { return auth.Rights{Read: []string{"#"}} }

func (r *reader) broker(n mapping.Node) Broker {
	m := n.As("broker").Map("listen", "tls", "users", "password_file", "sessions", "limits")
	b := Broker{
		TLS: r.brokerTLS(m.Get("tls")), Users: r.users(m.Get("users")), PasswordFile: r.passwordFile(m.Get("password_file")),
		Sessions: sessions(m.Get("sessions")), Limits: brokerLimits(m.Get("limits")),
	}
	known := len(b.Users) > 0 || b.PasswordFile != ""
	for _, item := range m.Get("listen").Seq() {
		if l := r.listen(item.As("broker: listen"), known); l.Address != "" {
			b.Listen = append(b.Listen, l)
		}
	}
	if len(b.Listen) == 0 {
		b.Listen = []Listen{{Address: defaultListen, Anonymous: anonymous("", !known)}}
	}
	return b
}

// addresses returns host and port of those that have them.
func (b Broker) addresses() (all []string) {
	for _, l := range b.Listen {
		if !filepath.IsAbs(l.Address) {
			all = append(all, l.Address)
		}
	}
	return all
}

// listen reads one address; known says that there are users.
func (r *reader) listen(n mapping.Node, known bool) Listen {
	m := n.Map("address", "protocol", "allow_plaintext", "anonymous", "client_certificates", "origins", "mode")
	address := m.Need("address", defaultListen)
	l := Listen{Address: address.Text(), Mode: mode(m.Get("mode")), Plaintext: m.Get("allow_plaintext").Bool(false)}
	protocol := m.Get("protocol").Choice("mqtt", "mqtts", "ws", "wss")
	l.TLS, l.WebSocket = protocol == "mqtts" || protocol == "wss", strings.HasPrefix(protocol, "ws")
	clients := m.Get("client_certificates")
	l.Clients = map[string]tls.ClientAuthType{
		"none": tls.NoClientCert, "optional": tls.VerifyClientCertIfGiven, "required": tls.RequireAndVerifyClientCert,
	}[clients.Choice("none", "optional", "required")]
	for _, item := range m.Get("origins").Seq() {
		l.Origins = append(l.Origins, origin(item))
	}
	near := filepath.IsAbs(l.Address)
	if l.Address != "" && !near {
		near = checkListen(address, l)
	}
	l.Anonymous = anonymous(m.Get("anonymous").Choice("none", "read", "write"), !m.Get("anonymous").Present() && near && !known)
	if clients.Present() && l.Clients != tls.NoClientCert && !l.TLS {
		clients.Problem("write protocol: mqtts or wss", "clients show certificates in TLS only")
	}
	if l.Anonymous == nil && !known && l.Address != "" {
		n.Problem("add users or password_file, or write anonymous: read", "nobody could connect to %s: there are no users", l.Address)
	}
	return l
}

// anonymous returns the rights of clients without a user name.
func anonymous(word string, open bool) *auth.Rights {
	switch {
	case open || word == "write":
		return &auth.Rights{Read: []string{"#", "$SYS/#"}, Write: []string{"#"}}
	case word == "read":
		return &auth.Rights{Read: []string{"#"}}
	}
	return nil
}

// checkListen reports an address that cannot or must not be served, and returns
// whether only this machine reaches it.
func checkListen(n mapping.Node, l Listen) (near bool) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		n.Problem("write host:port, e.g. "+defaultListen, "%q is not an address to listen on", l.Address)
		return true
	}
	if p, err := strconv.Atoi(port); err != nil || p < 0 || p > 65535 {
		n.Problem("write a port from 1 to 65535, e.g. 1883; 0 chooses a free one", "%q is not a port", port)
	}
	near = isLoopback(host)
	if !near && !l.TLS && !l.Plaintext {
		n.Problem("write protocol: mqtts, or 127.0.0.1:"+port+"; or allow_plaintext: true if that network is protected otherwise",
			"%s can be reached from outside, and passwords and values would be readable there", l.Address)
	}
	return near
}

func mode(n mapping.Node) fs.FileMode {
	if !n.Present() {
		return 0o660
	}
	m, err := strconv.ParseUint(n.Text(), 8, 16)
	if err != nil || m > 0o777 {
		n.Problem("write it as chmod takes it, e.g. \"0660\"", "%q are no permissions of a file", n.Text())
	}
	return fs.FileMode(m)
}

func origin(n mapping.Node) string {
	s := n.Text()
	if u, err := url.Parse(s); s != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
		n.Problem("write it as the browser does, e.g. https://panel.example.com", "%q is not the origin of a page", s)
	}
	return s
}

func (r *reader) brokerTLS(n mapping.Node) BrokerTLS {
	m := n.Map("cert", "key", "client_ca", "names")
	t := BrokerTLS{Cert: r.credential(m.Get("cert")), Key: r.credential(m.Get("key")), ClientCA: r.credential(m.Get("client_ca"))}
	if m.Get("cert").Present() != m.Get("key").Present() {
		n.Problem("give both, or neither", "a certificate needs its key and the key its certificate")
	}
	for _, item := range m.Get("names").Seq() {
		t.Names = append(t.Names, item.Text())
	}
	if !r.desk {
		checkPair(m.Get("cert"), t.Cert, t.Key)
		checkAuthorities(m.Get("client_ca"), t.ClientCA)
		checkEnd(m.Get("cert"), t.Cert)
	}
	return t
}

// checkEnd warns of a certificate that ends soon.
func checkEnd(n mapping.Node, path string) {
	cert, err := certs.ReadCertificate(path)
	if path == "" || err != nil {
		return // reported already
	}
	if text := certs.Ending(cert, time.Now()); text != "" {
		n.Warn("renew it; the gateway takes the new file into use while it runs", "the certificate %s %s", path, text)
	}
}

func (r *reader) passwordFile(n mapping.Node) string {
	path := r.credential(n)
	if path == "" || r.desk {
		return path
	}
	if _, err := auth.ReadFile(path); err != nil {
		n.Problem("sluice passwd add FILE NAME writes such lines", "%s", err)
	}
	return path
}

func (r *reader) users(n mapping.Node) []User {
	var users []User
	taken := map[string]bool{}
	for _, item := range n.Seq() {
		m := item.As("broker: user").Map("name", "password", "read", "write")
		name := m.Need("name", "scada")
		u := User{Name: name.Text(), Rights: Readers()}
		m = m.Named(fmt.Sprintf("broker: user %q", u.Name))
		if err := auth.CheckName(u.Name); err != nil && name.Present() {
			name.Problem("choose another, e.g. scada", "%s", err)
		}
		if taken[u.Name] {
			name.Problem("give each user a name of its own", "%q is there twice", u.Name)
		}
		taken[u.Name] = true
		u.PasswordFile = r.password(m.Get("password"))
		if read := m.Get("read"); read.Present() {
			u.Rights.Read = r.grants(read)
		}
		u.Rights.Write = r.grants(m.Get("write"))
		users = append(users, u)
	}
	return users
}

// grants reads topic filters in which {site} and {gateway} may stand, and %u and
// %c.
func (r *reader) grants(n mapping.Node) []string {
	filters := []string{}
	for _, item := range n.Seq() {
		s := r.expand(item)
		if err := topic.CheckFilter(s); err != nil {
			item.Problem("write topic levels; + stands for one level, # at the end for all below", "%q: %s", item.Text(), err)
		}
		filters = append(filters, s)
	}
	return filters
}
