package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"sluice/broker/topic"
	"sluice/mapping"
)

// Limits and defaults of a bridge.
const (
	minKeepAlive     = 5 * time.Second
	maxKeepAlive     = 20 * time.Minute
	defaultKeepAlive = 60 * time.Second
)

func (r *reader) bridges(n mapping.Node) []Bridge {
	var bridges []Bridge
	ids := map[string]bool{}
	clients := map[string]string{}
	for _, item := range n.Seq() {
		b := r.bridge(item)
		client := b.URL + " " + b.ClientID
		if other, taken := clients[client]; taken && b.URL != "" {
			item.As(fmt.Sprintf("bridge %q", b.ID)).Problem("give one of them another client_id",
				"bridge %q connects to the same broker with the same client id: each would end the other's connection", other)
		}
		clients[client] = b.ID
		if b.ID != "" && ids[b.ID] {
			item.As(fmt.Sprintf("bridge %q", b.ID)).Problem("give each bridge an id of its own", "the id is used twice")
		}
		ids[b.ID] = true
		bridges = append(bridges, b)
	}
	return bridges
}

func (r *reader) bridge(n mapping.Node) Bridge {
	m := n.As("bridge").Map("id", "url", "allow_plaintext", "client_id", "username", "password", "tls", "keepalive", "queue", "send")
	b := Bridge{ID: m.Need("id", "cloud").ID()}
	m = m.Named(fmt.Sprintf("bridge %q", b.ID))
	b.URL = r.brokerURL(m.Need("url", "mqtts://mqtt.example.com:8883"), m.Get("allow_plaintext").Bool(false))
	b.ClientID = r.gateway
	if id := m.Get("client_id"); id.Present() {
		b.ClientID = r.expand(id)
	}
	b.Username = m.Get("username").Text()
	b.PasswordFile = r.password(m.Get("password"))
	r.tls(&b, m.Get("tls"))
	b.KeepAlive = m.Get("keepalive").Duration(minKeepAlive, maxKeepAlive, defaultKeepAlive)
	b.Queue = r.queue(m.Get("queue"))
	b.Send = r.send(m.Need("send", `[{match: "#"}]`))
	if send := m.Get("send"); send.Present() && len(b.Send) == 0 {
		send.Problem("add a rule, e.g. {match: \"{site}/#\"}", "nothing would be sent")
	}
	if password := m.Get("password"); b.PasswordFile != "" && b.Username == "" {
		password.Problem("add username", "a password goes with a user name")
	}
	return b
}

// brokerURL reads the address of the broker upstream and adds the usual port.
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
	ports := map[string]string{"mqtt": "1883", "mqtts": "8883"}
	switch {
	case ports[u.Scheme] == "":
		n.Problem("write "+guessURL(s), "%q: scheme %q is not known", s, u.Scheme)
	case u.User != nil:
		n.Problem("use the keys username and password", "a password does not belong into the address")
	case u.Path != "" && u.Path != "/":
		n.Problem("write only the host and the port", "%q has a path", s)
	case u.Scheme == "mqtt" && !plaintext && !isLoopback(u.Hostname()):
		n.Problem("write mqtts://, or add allow_plaintext: true if the way there is protected otherwise, such as by a VPN",
			"mqtt:// to %s sends everything unencrypted", u.Hostname())
	}
	if p := u.Port(); p != "" {
		if number, err := strconv.Atoi(p); err != nil || number < 1 || number > 65535 {
			n.Problem("write a port from 1 to 65535, e.g. "+ports[u.Scheme], "%q is not a port", p)
		}
	} else {
		u.Host = net.JoinHostPort(u.Hostname(), ports[u.Scheme])
	}
	address := u.Scheme + "://" + u.Host
	r.checkOwnBroker(n, address)
	return address
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// password reads where the password is kept: a file that only its owner can
// read.
func (r *reader) password(n mapping.Node) string {
	if !n.Present() {
		return ""
	}
	if n.IsScalar() {
		n.Problem("write it to a file of its own and give password: {file: secrets/cloud}", "a password does not belong into the site file")
		return ""
	}
	file := n.Map("file").Need("file", "secrets/cloud")
	path := r.readable(file)
	if path == "" {
		return ""
	}
	if info, err := os.Stat(path); err == nil && !r.desk && info.Mode().Perm()&0o007 != 0 {
		file.Problem("chmod o-rwx "+path, "every user of this machine can read %s", path)
	}
	if !r.desk {
		checkPassword(file, path)
	}
	return path
}

func (r *reader) tls(b *Bridge, n mapping.Node) {
	m := n.Map("ca", "cert", "key")
	b.CA, b.Cert, b.Key = r.readable(m.Get("ca")), r.readable(m.Get("cert")), r.readable(m.Get("key"))
	if m.Get("cert").Present() != m.Get("key").Present() {
		n.Problem("give both, or neither", "a certificate needs its key and the key its certificate")
	}
	if !r.desk {
		checkAuthorities(m.Get("ca"), b.CA)
		checkPair(m.Get("cert"), b.Cert, b.Key)
	}
	if n.Present() && strings.HasPrefix(b.URL, "mqtt:") {
		n.Problem("write mqtts:// in url, or leave tls out", "the address begins with mqtt://, which is not encrypted")
	}
}

// readable returns the path at n after checking that it is there.
func (r *reader) readable(n mapping.Node) string {
	path := r.file(n)
	if path == "" || r.desk {
		return path
	}
	f, err := os.Open(path)
	if err != nil {
		n.Problem("create it, or correct the path", "%s", err)
		return ""
	}
	f.Close()
	return path
}

func (r *reader) send(n mapping.Node) []Rule {
	var rules []Rule
	items := n.Seq()
	for _, item := range items {
		rules = append(rules, r.rule(item))
	}
	checkRules(items, rules)
	return rules
}

func (r *reader) rule(n mapping.Node) Rule {
	m := n.Map("match", "exclude", "strip", "to", "lane", "retain", "drop")
	rule := Rule{Match: r.filter(m.Need("match", `"{site}/#"`)), Drop: m.Get("drop").Bool(false), To: "{topic}"}
	for _, item := range m.Get("exclude").Seq() {
		rule.Exclude = append(rule.Exclude, r.filter(item))
	}
	rule.Lane = m.Get("lane").Choice("telemetry", "alarm", "bulk")
	rule.StripRetain = m.Get("retain").Choice("keep", "strip") == "strip"
	rule.Strip = r.strip(m.Get("strip"), rule.Match)
	to := m.Get("to")
	if !to.Present() {
		return rule
	}
	if rule.Drop {
		to.Problem("keep one of the two", "matching messages stay here, so they have no topic upstream")
	}
	rule.To = r.expand(to, "{topic}")
	if !strings.Contains(rule.To, "{topic}") {
		to.Problem(fmt.Sprintf("write \"%s/{topic}\"", strings.TrimRight(rule.To, "/#+")), "without {topic} every message would go to the same topic")
	}
	if err := topic.CheckName(strings.ReplaceAll(rule.To, "{topic}", "x")); err != nil {
		to.Problem("write topic levels and {topic}, e.g. \"acme/{topic}\"", "%q: %s", to.Text(), err)
	}
	return rule
}

// strip reads what is taken off the beginning of each topic, which all that the
// filter matches must have, with something behind it.
func (r *reader) strip(n mapping.Node, filter string) string {
	if !n.Present() {
		return ""
	}
	prefix := r.expand(n)
	if !strings.HasSuffix(prefix, "/") || !strings.HasPrefix(filter, prefix) || strings.ContainsAny(prefix, "+#") {
		n.Problem("write the levels that match begins with, and a slash, e.g. match: \"plant/#\", strip: plant/",
			"not every topic that %q matches begins with %q", filter, prefix)
	}
	return prefix
}
