package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"sluice/broker/certs"
	"sluice/gateway/config"
	"sluice/mapping"
)

// ownCertificates warns of certificates of the gateway's own authority in dir: of
// those that end soon, and of the broker's if it misses a name. Where there are none
// yet, or others may not look at them, there is nothing to warn of.
func ownCertificates(cfg *config.Config, dir string, now time.Time) (warnings mapping.Problems) {
	if !certs.Exists(dir) {
		return nil
	}
	warn := func(c certs.Issued, fix, what string) {
		warnings = append(warnings, mapping.Problem{File: filepath.Join(dir, c.File), What: what, Fix: fix, Warning: true})
	}
	all, err := certs.List(dir)
	if err != nil {
		return mapping.Problems{{File: dir, What: err.Error(), Fix: "sluice certs renew makes the broker's anew, sluice certs renew NAME a client's", Warning: true}}
	}
	names := servedNames(cfg.Broker)
	for _, c := range all {
		if text := c.Ending(now); text != "" {
			warn(c, renewal(c), "the certificate "+text)
		}
		for _, name := range names {
			if c.IsServer() && !c.Covers(name) {
				warn(c, "sluice certs renew, with the name under broker: tls: names", fmt.Sprintf("the certificate of the broker is not for %s", name))
			}
		}
	}
	return warnings
}

func renewal(c certs.Issued) string {
	switch {
	case c.IsAuthority():
		return "move the folder away, run sluice certs init, and give all clients the new file"
	case c.IsServer():
		return "sluice certs renew; a gateway that runs does so by itself"
	}
	return "sluice certs renew " + c.Name
}

// servedNames are the hosts that a certificate of the gateway's own has to be for:
// those it listens on with TLS, and those in the site file. There are none where it
// serves another certificate, or no TLS.
func servedNames(b config.Broker) []string {
	var names []string
	secure := false
	for _, l := range b.Listen {
		host, _, _ := net.SplitHostPort(l.Address)
		secure = secure || l.TLS
		if ip := net.ParseIP(host); l.TLS && host != "" && !ip.IsUnspecified() {
			names = append(names, host)
		}
	}
	if !secure || b.TLS.Cert != "" {
		return nil
	}
	names = append(names, b.TLS.Names...)
	slices.Sort(names)
	return slices.Compact(names)
}
