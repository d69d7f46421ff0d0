package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"sluice/broker/topic"
	"sluice/mapping"
)

// checkRules warns of rules that no message can ever reach.
func checkRules(items []mapping.Node, rules []Rule) {
	for i, rule := range rules {
		if topic.CheckFilter(rule.Match) != nil {
			continue // reported already
		}
		for _, e := range rule.Exclude {
			if topic.CheckFilter(e) == nil && topic.Covers(e, rule.Match) {
				items[i].Warn("make one of the two narrower", "the rule matches nothing: it excludes all of %q", rule.Match)
			}
		}
		for j, before := range rules[:i] {
			if topic.CheckFilter(before.Match) == nil && len(before.Exclude) == 0 && topic.Covers(before.Match, rule.Match) {
				items[i].Warn("put it before that one: the first rule that matches decides",
					"the rule is never reached: rule %d, match %q, takes all of %q", j+1, before.Match, rule.Match)
				break
			}
		}
	}
}

// checkOwnBroker reports a bridge that would send to the broker it takes from.
func (r *reader) checkOwnBroker(n mapping.Node, address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	for _, own := range r.lan {
		host, port, _ := net.SplitHostPort(own)
		if port == u.Port() && sameMachine(u.Hostname(), host) {
			n.Problem("write the address of the broker upstream", "%s is this gateway's own broker: every message would come back", u.Host)
			return
		}
	}
}

// sameMachine reports whether a connection to host reaches who listens on own.
func sameMachine(host, own string) bool {
	if ip, err := netip.ParseAddr(own); own == "" || err == nil && ip.IsUnspecified() {
		return isLoopback(host)
	}
	numeric := strings.NewReplacer("localhost", "127.0.0.1")
	return numeric.Replace(host) == numeric.Replace(own)
}

// guessURL returns what is probably meant by the address of a broker: others call
// the schemes tcp and ssl, and leave them out.
func guessURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	host, _, _ := strings.Cut(rest, "/")
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, "8883"
	}
	switch {
	case name == "" || strings.ContainsAny(name, " @"):
		return "mqtts://host:8883, or mqtt://host:1883 without encryption"
	case port == "1883":
		return "mqtts://" + name + ":8883, or mqtt://" + name + ":1883 without encryption"
	case strings.HasPrefix(scheme, "ws") || strings.HasPrefix(scheme, "http"):
		port = "8883"
	}
	return "mqtts://" + net.JoinHostPort(name, port)
}
