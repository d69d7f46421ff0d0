package bridge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/broker/topic"
)

// Rule picks messages of the local broker for upstream.
type Rule struct {
	Match   string   // topic filter
	Exclude []string // topic filters of messages that the rule does not pick after all

	// To is the topic upstream, in which {topic} stands for the local one, such
	// as "acme/{topic}". Empty: the same topic.
	To string

	// Drop keeps what the rule picks from upstream.
	Drop bool
}

func (r Rule) picks(name string) bool {
	if !topic.Match(r.Match, name) {
		return false
	}
	for _, filter := range r.Exclude {
		if topic.Match(filter, name) {
			return false
		}
	}
	return true
}

// Route returns the topic that name has upstream by the first rule that picks it;
// false means that it stays here. Topics that begin with $ belong to the broker
// they are on.
func Route(rules []Rule, name string) (string, bool) {
	if strings.HasPrefix(name, "$") {
		return "", false
	}
	for _, r := range rules {
		switch {
		case !r.picks(name):
		case r.Drop:
			return "", false
		case r.To == "":
			return name, true
		default:
			return strings.ReplaceAll(r.To, "{topic}", name), true
		}
	}
	return "", false
}

// Offer puts m into the lane if a rule picks it, in the order of the calls, which
// may come from any goroutine and whether or not Run runs. The returned function
// blocks until m is on flash and may be acknowledged; it is nil when no rule
// picks m. An error means that the lane did not take m, which must then not be
// acknowledged.
func (b *Bridge) Offer(m topic.Message) (wait func(context.Context) error, err error) {
	name, ok := Route(b.cfg.Send, m.Topic)
	if !ok {
		return nil, nil
	}
	m.Topic = name
	if err := topic.CheckName(name); err != nil {
		return nil, fmt.Errorf("bridge %s: topic upstream: %w", b.cfg.ID, err)
	}
	seq, err := b.lane.Append(m, time.Now())
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", b.cfg.ID, err)
	}
	return func(ctx context.Context) error { return b.lane.Wait(ctx, seq) }, nil
}
