package bridge

import (
	"errors"
	"fmt"
	"strings"

	"sluice/broker/topic"
)

// origin returns the local topic that the rule would send to name.
func (r *Rule) origin(name string) (string, bool) {
	before, after, _ := strings.Cut(r.To, "{topic}")
	if r.To == "" {
		before, after = "", ""
	}
	rest, ok := strings.CutPrefix(name, before)
	if !ok || len(rest) <= len(after) || !strings.HasSuffix(rest, after) {
		return "", false
	}
	local := r.Strip + strings.TrimSuffix(rest, after)
	return local, r.rename(local) == name
}

// sends reports whether the rules send anything to the topic name upstream.
func sends(rules []Rule, name string) bool {
	for i := range rules {
		if local, ok := rules[i].origin(name); ok && pick(rules, local) == &rules[i] {
			return true
		}
	}
	return false
}

// echoes reports whether a topic upstream is one that this gateway writes itself.
func (b *Bridge) echoes(name string) bool {
	if name == b.cfg.Envelopes.To {
		return true
	}
	late := Rule{To: b.cfg.LateTo}
	for _, rules := range append([][]Rule{b.cfg.Send}, b.cfg.Beside...) {
		if sends(rules, name) {
			return true
		}
		if of, ok := late.origin(name); ok && len(b.cfg.LiveFirst) > 0 && sends(rules, of) {
			return true
		}
	}
	return false
}

// Accept takes a message that came down, and returns once the local broker has it:
// then it may be acknowledged. What no rule picks, what this gateway sent itself
// and what the local broker refuses goes nowhere, and would not the next time.
func (b *Bridge) Accept(m topic.Message) {
	r := pick(b.cfg.Receive, m.Topic)
	switch {
	case r == nil:
		return
	case b.echoes(m.Topic):
		b.update(func(s *Stats) { s.Echoes++ })
		return
	}
	m.Topic, m.Retain, m.Origin = r.rename(m.Topic), m.Retain && !r.Plain, b.cfg.ID
	b.received(m, b.deliver(m))
}

func (b *Bridge) deliver(m topic.Message) error {
	if strings.HasPrefix(m.Topic, "$") {
		return errors.New("topics that begin with $ belong to the broker")
	}
	return b.cfg.Deliver(m)
}

// received counts a message that came down, and logs a refusal when it is news.
func (b *Bridge) received(m topic.Message, err error) {
	news := false
	b.update(func(s *Stats) {
		if err == nil {
			s.Received++
			b.refused = ""
			return
		}
		s.Refused++
		reason := fmt.Sprint(m.Topic, err)
		news, b.refused = reason != b.refused, reason
	})
	if news {
		b.log.Warn("refused a message from upstream", "topic", m.Topic, "err", err)
	}
}
