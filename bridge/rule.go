package bridge

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

// Rule picks messages of the local broker for upstream, or, of the rules to
// receive by, messages from upstream for the local broker.
type Rule struct {
	Match   string   // topic filter
	Exclude []string // topic filters of messages that the rule does not pick after all

	// Drop keeps what the rule picks from upstream; what follows has no meaning then.
	Drop bool

	// To is the topic on the other side, in which {topic} stands for the one here without
	// Strip in front, such as "acme/{topic}". Empty: just that.
	To    string
	Strip string

	// Straight sends with QoS 0, at once or, while there is no connection or no room,
	// not at all: nothing is queued.
	Straight bool

	Lane  queue.Name // of what is sent otherwise; empty: telemetry
	Plain bool       // the retain flag is taken off
}

func (r *Rule) picks(name string) bool {
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

// rename returns the topic upstream of a local one.
func (r *Rule) rename(name string) string {
	name = strings.TrimPrefix(name, r.Strip)
	if r.To == "" {
		return name
	}
	return strings.ReplaceAll(r.To, "{topic}", name)
}

// pick returns the first rule that picks name, nil when name stays where it is.
// Topics that begin with $ belong to the broker they are on.
func pick(rules []Rule, name string) *Rule {
	if strings.HasPrefix(name, "$") {
		return nil
	}
	for i := range rules {
		if r := &rules[i]; r.picks(name) {
			if r.Drop {
				return nil
			}
			return r
		}
	}
	return nil
}

// Route returns the topic that name has upstream by the first rule that picks it;
// false means that it stays here.
func Route(rules []Rule, name string) (string, bool) {
	r := pick(rules, name)
	if r == nil {
		return "", false
	}
	return r.rename(name), true
}

// Offer puts m into the lane of the rule that picks it, in the order of the calls,
// which may come from any goroutine and whether or not Run runs. The returned
// function blocks until m is on flash and may be acknowledged; it is nil when no
// rule picks m, or one that sends it straight, or it came down through a bridge:
// nothing goes back up. An error means that the lane did not take m, which must
// then not be acknowledged.
func (b *Bridge) Offer(m topic.Message) (wait func(context.Context) error, err error) {
	r := pick(b.cfg.Send, m.Topic)
	if r == nil || m.Origin != "" {
		return nil, nil
	}
	m.Topic = r.rename(m.Topic)
	m.Retain = m.Retain && !r.Plain
	if err := topic.CheckName(m.Topic); err != nil {
		return nil, fmt.Errorf("bridge %s: topic upstream: %w", b.cfg.ID, err)
	}
	if r.Straight {
		b.offerStraight(m)
		return nil, nil
	}
	l := b.laneOf(r)
	if err := b.checkLate(l.Name(), m.Topic); err != nil {
		return nil, fmt.Errorf("bridge %s: topic upstream when late: %w", b.cfg.ID, err)
	}
	seq, err := l.Append(m, time.Now())
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", b.cfg.ID, err)
	}
	return func(ctx context.Context) error { return l.Wait(ctx, seq) }, nil
}

func (b *Bridge) laneOf(r *Rule) *queue.Lane {
	if r.Lane == "" {
		return b.queue.Lane(queue.Telemetry)
	}
	return b.queue.Lane(r.Lane)
}
