// Package auth decides who may enter the broker and what they may do there:
// passwords and how they are stored, rights by topic filter, and limits on those
// who try too often. The broker asks it; it knows neither connections nor packets.
package auth

import (
	"fmt"
	"strings"

	"sluice/broker/topic"
)

// Rights are topic filters. In a level, %u stands for the name of the user and %c
// for the client identifier.
type Rights struct {
	Read  []string // may be subscribed to, if the filter subscribed to is within one of these
	Write []string // may be published to, as long as they are not the gateway's own
}

// Check reports a filter that MQTT does not know, or nil.
func (r Rights) Check() error {
	for _, list := range [][]string{r.Read, r.Write} {
		for _, filter := range list {
			if err := topic.CheckFilter(filter); err != nil {
				return fmt.Errorf("%q: %w", filter, err)
			}
		}
	}
	return nil
}

// For returns what a user may do through a client. A filter with a name that is
// empty, or holds one of / + #, falls away: it would mean other topics.
func (r Rights) For(user, client string) Grant {
	return Grant{fill(r.Read, user, client), fill(r.Write, user, client)}
}

func fill(filters []string, user, client string) []string {
	var out []string
	for _, f := range filters {
		if strings.Contains(f, "%u") && !fits(user) || strings.Contains(f, "%c") && !fits(client) {
			continue
		}
		out = append(out, strings.NewReplacer("%u", user, "%c", client).Replace(f))
	}
	return out
}

func fits(level string) bool { return level != "" && !strings.ContainsAny(level, "/+#") }

// Grant is what one connection may do. The zero Grant allows nothing.
type Grant struct{ read, write []string }

// MayRead reports whether filter, or the topic name, lies within what may be
// read.
func (g Grant) MayRead(filter string) bool {
	for _, f := range g.read {
		if topic.Covers(f, filter) {
			return true
		}
	}
	return false
}

// MayWrite reports whether name may be published to.
func (g Grant) MayWrite(name string) bool {
	for _, f := range g.write {
		if topic.Match(f, name) {
			return true
		}
	}
	return false
}
