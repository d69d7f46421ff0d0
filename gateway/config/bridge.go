package config

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"sluice/broker/topic"
	"sluice/mapping"
)

// Limits and defaults of a bridge.
const (
	minKeepAlive = 5 * time.Second
	maxKeepAlive = 20 * time.Minute
)

func (r *reader) bridges(n mapping.Node) []Bridge {
	var bridges []Bridge
	ids := map[string]bool{}
	clients := map[string]string{}
	for _, item := range n.Seq() {
		b := r.bridge(item)
		for _, url := range append([]string{b.URL}, b.Failover...) {
			client := url + " " + b.ClientID
			if other, taken := clients[client]; taken && url != "" && other != b.ID {
				item.As(fmt.Sprintf("bridge %q", b.ID)).Problem("give one of them another client_id",
					"bridge %q connects to the same broker with the same client id: each would end the other's connection", other)
			}
			clients[client] = b.ID
		}
		if b.ID != "" && ids[b.ID] {
			item.As(fmt.Sprintf("bridge %q", b.ID)).Problem("give each bridge an id of its own", "the id is used twice")
		}
		ids[b.ID] = true
		bridges = append(bridges, b)
	}
	return bridges
}

func (r *reader) bridge(n mapping.Node) Bridge {
	m := n.As("bridge").Map("id", "url", "failover", "fail_back", "profile", "connect", "rate", "budget", "allow_plaintext", "client_id", "username", "password", "tls", "proxy", "keepalive", "heartbeat", "watch", "queue", "envelope", "send", "receive")
	b := Bridge{ID: m.Need("id", "cloud").ID()}
	m = m.Named(fmt.Sprintf("bridge %q", b.ID))
	b.URL = r.brokerURL(m.Need("url", "mqtts://mqtt.example.com:8883"), m.Get("allow_plaintext").Bool(false))
	b.ClientID = r.gateway
	if id := m.Get("client_id"); id.Present() {
		b.ClientID = r.expand(id)
	}
	b.Username, b.UsernameFile = r.username(m.Get("username"))
	b.PasswordFile = r.password(m.Get("password"))
	r.tls(&b, m.Get("tls"))
	b.Proxy = r.proxy(m.Get("proxy"))
	r.link(&b, m)
	b.Presence = presence(m, b.Profile)
	b.Queue = r.queue(m.Get("queue"))
	b.Envelope = r.envelope(m.Get("envelope"))
	if m.Get("receive").Present() {
		b.Send = r.send(m.Get("send"))
	} else {
		b.Send = r.send(m.Need("send", `[{match: "#"}]`))
	}
	b.Receive = r.receive(m.Get("receive"), b.Send)
	if send := m.Get("send"); send.Present() && len(b.Send) == 0 {
		send.Problem("add a rule, e.g. {match: \"{site}/#\"}", "nothing would be sent")
	}
	if password := m.Get("password"); b.PasswordFile != "" && b.Username == "" && b.UsernameFile == "" {
		password.Problem("add username", "a password goes with a user name")
	}
	return b
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
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
		m := item.Map("match", "exclude", "strip", "to", "qos", "lane", "retain", "drop")
		rule := r.rule(m)
		rule.QoS = byte(m.Get("qos").Int(0, 1, 1))
		lane := m.Get("lane")
		rule.Lane = lane.Choice("telemetry", "alarm", "bulk")
		if rule.QoS == 0 && lane.Present() {
			lane.Problem("keep one of the two", "with qos: 0 nothing is queued, so there is no lane")
		}
		rules = append(rules, rule)
	}
	checkRules(items, rules)
	return rules
}

// rule reads what all rules have.
func (r *reader) rule(m mapping.Map) Rule {
	rule := Rule{Match: r.filter(m.Need("match", `"{site}/#"`)), Drop: m.Get("drop").Bool(false), To: "{topic}"}
	for _, item := range m.Get("exclude").Seq() {
		rule.Exclude = append(rule.Exclude, r.filter(item))
	}
	rule.StripRetain = m.Get("retain").Choice("keep", "strip") == "strip"
	rule.Strip = r.strip(m.Get("strip"), rule.Match)
	to := m.Get("to")
	if !to.Present() {
		return rule
	}
	if rule.Drop {
		to.Problem("keep one of the two", "matching messages stay where they are, so they need no other topic")
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
