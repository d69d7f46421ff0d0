package broker

import (
	"cmp"
	"slices"
	"strings"
	"time"

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
// by bytes, after those that have expired are gone.
func (r *retained) full(name string, size int, limits Limits) bool {
	before := 0
	if old := r.kept[name]; old != nil {
		before = old.size()
	}
	over := func() bool {
		return before == 0 && len(r.kept) >= limits.Retained || r.bytes-before+size > limits.RetainedBytes
	}
	if over() {
		r.purge(time.Now())
	}
	return over()
}

func (r *retained) purge(now time.Time) {
	for name, k := range r.kept {
		if k.expired(now) {
			r.bytes -= k.size()
			delete(r.kept, name)
		}
	}
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
