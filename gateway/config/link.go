package config

import (
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"sluice/bridge/cron"
	"sluice/mapping"
)

// Profile is what a kind of link asks for.
type Profile struct {
	KeepAlive time.Duration // unless the bridge says otherwise
	Dial      time.Duration // an attempt to find a way takes no longer
	Open      time.Duration // nor TLS and CONNACK on it
	Doubt     time.Duration // of silence with something owed, and another way is looked for
	Patience  time.Duration // for the first acknowledgement of a connection
	Heartbeat time.Duration // unless the bridge says otherwise
	Transport time.Duration // sent data may stay unacknowledged by the other kernel
	Curves    []tls.CurveID // unless the bridge says otherwise; nil: all
}

// profile reads the kind of link. lte is the usual.
func profile(n mapping.Node) Profile {
	small := []tls.CurveID{tls.X25519, tls.CurveP256} // without 1.2 KB each way for the post-quantum share
	const s = time.Second
	switch n.Choice("lte", "lan", "nbiot", "satellite") {
	case "lan":
		return Profile{KeepAlive: 15 * s, Dial: 2 * s, Open: 10 * s, Doubt: 1 * s, Patience: 5 * s, Heartbeat: 30 * s, Transport: 10 * s}
	case "nbiot":
		return Profile{KeepAlive: 600 * s, Dial: 30 * s, Open: 60 * s, Doubt: 20 * s, Patience: 60 * s, Heartbeat: 600 * s, Transport: 180 * s, Curves: small}
	case "satellite":
		return Profile{KeepAlive: 300 * s, Dial: 15 * s, Open: 40 * s, Doubt: 8 * s, Patience: 30 * s, Heartbeat: 600 * s, Transport: 120 * s, Curves: small}
	default:
		return Profile{KeepAlive: 60 * s, Dial: 5 * s, Open: 20 * s, Doubt: 3 * s, Patience: 10 * s, Heartbeat: 60 * s, Transport: 60 * s}
	}
}

// Connect is when a bridge is connected.
type Connect struct {
	Needed bool           // only while something waits
	At     *cron.Schedule // only in slots that begin then; nil: at any time
	For    time.Duration  // such a slot lasts no longer
	Linger time.Duration  // the connection stays so long after the last message
}

// Rate is the most that a bridge sends in a second; 0 is without limit.
type Rate struct {
	Messages, Bytes int
}

// Budget is the volume of a month; without bytes there is no limit.
type Budget struct {
	Bytes int64
	Day   int // on which a month begins
}

// Limits and defaults of connections.
const (
	minFailBack, defaultFailBack = 10 * time.Second, 10 * time.Minute
	maxSlot, defaultSlot         = 24 * time.Hour, 15 * time.Minute
	maxLinger, defaultLinger     = time.Hour, 10 * time.Second
	minBudget, maxBudget         = 100 << 10, 1 << 50
	maxFailover                  = 8
)

// link reads where and when a bridge is connected, and how much it may send.
func (r *reader) link(b *Bridge, m mapping.Map) {
	b.Profile = profile(m.Get("profile"))
	b.KeepAlive = m.Get("keepalive").Duration(minKeepAlive, maxKeepAlive, b.Profile.KeepAlive)
	if len(b.TLS.Curves) == 0 {
		b.TLS.Curves = b.Profile.Curves
	}
	b.Failover = r.failover(b, m.Get("failover"), m.Get("allow_plaintext").Bool(false))
	b.FailBack = m.Get("fail_back").Duration(minFailBack, 24*time.Hour, defaultFailBack)
	b.Connect = connect(m.Get("connect"))
	rate := m.Get("rate").Map("messages", "bytes")
	b.Rate = Rate{Messages: rate.Get("messages").Int(0, 100_000, 0), Bytes: int(rate.Get("bytes").Size(0, 1<<30, 0))}
	budget := m.Get("budget").Map("month", "day")
	b.Budget.Day = budget.Get("day").Int(1, 28, 1)
	if m.Get("budget").Present() {
		b.Budget.Bytes = budget.Need("month", "500MB").Size(minBudget, maxBudget, 0)
	}
}

// failover reads the brokers that are tried when the first is away. TLS settings
// hold for all.
func (r *reader) failover(b *Bridge, n mapping.Node, plaintext bool) []string {
	var urls []string
	for i, item := range n.Seq() {
		if i == maxFailover {
			item.Problem("take some out", "more than %d brokers", maxFailover)
			break
		}
		url := r.brokerURL(item, plaintext)
		if url == "" {
			continue
		}
		if url == b.URL || slices.Contains(urls, url) {
			item.Problem("take it out", "%q is listed twice", item.Text())
		}
		urls = append(urls, url)
	}
	return urls
}

// connect reads when there is to be a connection.
func connect(n mapping.Node) Connect {
	m := n.Map("when", "at", "for", "linger")
	when, at := m.Get("when"), m.Get("at")
	c := Connect{
		Needed: when.Choice("always", "needed") == "needed",
		For:    m.Get("for").Duration(time.Minute, maxSlot, defaultSlot),
		Linger: m.Get("linger").Duration(0, maxLinger, defaultLinger),
	}
	if text := at.Text(); text != "" {
		s, err := cron.Parse(text)
		if err != nil {
			at.Problem(`write five fields as in crontab, e.g. "0 */2 * * *" for every two hours`, "%q %s", text, strings.TrimPrefix(err.Error(), "cron: "))
		}
		c.At = s
	}
	if at.Present() && when.Present() && !c.Needed {
		when.Problem("take it out", "with at the bridge connects only then")
	}
	return c
}
