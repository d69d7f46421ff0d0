package broker

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/retain"
	"sluice/broker/session"
	"sluice/broker/topic"
)

// retained holds the last retained message of each topic. The order lock guards
// it.
type retained struct {
	kept  map[string]*kept
	bytes int
	count uint64 // messages kept so far
}

// kept is one retained message.
type kept struct {
	*session.Message
	qos    byte
	number uint64 // in the order of publishing
}

func (k *kept) size() int { return len(k.Topic) + len(k.Payload) + len(k.Properties) }

func (k *kept) expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// set keeps m in place of what its topic has; an empty one only takes that away
// [MQTT-3.3.1-6].
func (r *retained) set(m *session.Message, qos byte) {
	if old := r.kept[m.Topic]; old != nil {
		r.bytes -= old.size()
		delete(r.kept, m.Topic)
	}
	if len(m.Payload) == 0 {
		return
	}
	r.count++
	k := &kept{m, qos, r.count}
	r.kept[m.Topic] = k
	r.bytes += k.size()
}

// full reports whether there is no room for a message of a client, by number or
// by bytes.
func (r *retained) full(name string, size int, limits Limits) bool {
	before := 0
	if old := r.kept[name]; old != nil {
		before = old.size()
	}
	return before == 0 && len(r.kept) >= limits.Retained || r.bytes-before+size > limits.RetainedBytes
}

// purge forgets the messages that have expired, and returns their topics.
func (r *retained) purge(now time.Time) []string {
	var names []string
	for name, k := range r.kept {
		if k.expired(now) {
			r.bytes -= k.size()
			delete(r.kept, name)
			names = append(names, name)
		}
	}
	return names
}

// match returns the messages whose topics match filter, in the order of
// publishing.
func (r *retained) match(filter string) []*kept {
	now := time.Now()
	if !strings.ContainsAny(filter, "+#") {
		if k := r.kept[filter]; k != nil && !k.expired(now) {
			return []*kept{k}
		}
		return nil
	}
	var found []*kept
	for name, k := range r.kept {
		if topic.Match(filter, name) && !k.expired(now) {
			found = append(found, k)
		}
	}
	slices.SortFunc(found, func(a, b *kept) int { return cmp.Compare(a.number, b.number) })
	return found
}

// restore takes over what the store kept, but for topics that have become the
// gateway's own.
func (b *Broker) restore() {
	if b.store == nil {
		return
	}
	for _, m := range b.store.Messages() {
		if b.guard.Load().protects(m.Topic) {
			continue
		}
		b.retained.set(&session.Message{Topic: m.Topic, Payload: m.Payload, Properties: m.Properties, Expires: m.Expires}, m.QoS)
	}
	b.forgetExpired()
	b.countRetained()
}

// keep stores a client's retained message. It returns how to wait for that; nil
// when there is nothing to wait for.
func (b *Broker) keep(p publication) func(context.Context) error {
	if b.store == nil || !p.Retain {
		return nil
	}
	m := storedOf(p)
	if !retain.Fits(m) { // a will, of which nobody else can be told
		return nil
	}
	if p.QoS == 0 {
		b.store.Later(m)
		return nil
	}
	return b.store.Keep(m)
}

func storedOf(p publication) retain.Message {
	c := p.content
	return retain.Message{Topic: c.Topic, Payload: c.Payload, Properties: c.Properties, QoS: p.QoS, Expires: c.Expires}
}

// room reports why a client's message can't be kept, or CodeSuccess. Those that
// have expired make room first. The order lock is held.
func (b *Broker) room(m topic.Message) packets.Code {
	full := func() bool { return b.retained.full(m.Topic, len(m.Topic)+len(m.Payload), b.limits) }
	if !m.Retain || len(m.Payload) == 0 || !full() {
		return packets.CodeSuccess
	}
	b.forgetExpired()
	if full() {
		return because(packets.ErrQuotaExceeded, "there is no room for another retained message")
	}
	return packets.CodeSuccess
}

func (b *Broker) forgetExpired() {
	for _, name := range b.retained.purge(time.Now()) {
		if b.store != nil {
			b.store.Later(retain.Message{Topic: name})
		}
	}
}

func (b *Broker) countRetained() {
	atomic.StoreInt64(&b.server.Info.Retained, int64(len(b.retained.kept)))
}
