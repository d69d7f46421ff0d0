package broker

import (
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/session"
)

// subscription is one filter of a client. The order lock guards it.
type subscription struct {
	subscriber  *subscriber
	group       *group // nil: it is not shared
	qos         byte
	noLocal     bool
	asPublished bool   // the retain flag is passed on
	identifier  uint32 // 0: none
}

// target is what stands in the index: a subscription, or a group for all of its.
type target struct {
	*subscription
	group *group
}

// group is the subscriptions that share the messages of a filter between them
// [MQTT 5.0 section 4.8.2].
type group struct {
	members []*subscription
	next    int
}

// choose returns the member whose turn it is, passing over those who are away
// while others are not.
func (g *group) choose() *subscription {
	for range g.members {
		g.next = (g.next + 1) % len(g.members)
		if g.members[g.next].subscriber.session.Attached() {
			return g.members[g.next]
		}
	}
	g.next = (g.next + 1) % len(g.members)
	return g.members[g.next]
}

// filters returns how many filters the client of p is subscribed to.
func (b *Broker) filters(p *peer) int {
	b.order.Lock()
	defer b.order.Unlock()
	return len(p.subscriber.Load().subscriptions)
}

// subscribe takes note of an accepted subscription, in place of one to the same
// filter [MQTT-3.8.4-3], and queues the retained messages that belong to it.
func (b *Broker) subscribe(s *subscriber, from packets.Subscription) {
	b.order.Lock()
	defer b.order.Unlock()
	sub := &subscription{
		subscriber: s, qos: from.Qos, noLocal: from.NoLocal, asPublished: from.RetainAsPublished, identifier: uint32(from.Identifier),
	}
	_, existed := s.subscriptions[from.Filter]
	if existed {
		b.unsubscribe(s, from.Filter)
	}
	s.subscriptions[from.Filter] = sub
	if _, filter, shared := sharedFilter(from.Filter); shared {
		b.join(sub, from.Filter, filter)
		return // and gets no retained messages
	}
	b.index.Add(from.Filter, target{subscription: sub})
	if from.RetainHandling == 0 || from.RetainHandling == 1 && !existed {
		b.deliverRetained(sub, from.Filter)
	}
}

func (b *Broker) join(sub *subscription, name, filter string) {
	sub.group = b.groups[name]
	if sub.group == nil {
		sub.group = &group{}
		b.groups[name] = sub.group
		b.index.Add(filter, target{group: sub.group})
	}
	sub.group.members = append(sub.group.members, sub)
}

// unsubscribe forgets a subscription, if there is one. The order lock is held.
func (b *Broker) unsubscribe(s *subscriber, filter string) {
	sub := s.subscriptions[filter]
	delete(s.subscriptions, filter)
	switch {
	case sub == nil:
	case sub.group == nil:
		b.index.Remove(filter, target{subscription: sub})
	default:
		g := sub.group
		g.members = slices.DeleteFunc(g.members, func(m *subscription) bool { return m == sub })
		if g.next = 0; len(g.members) == 0 {
			_, plain, _ := sharedFilter(filter)
			b.index.Remove(plain, target{group: g})
			delete(b.groups, filter)
		}
	}
}

func (b *Broker) deliverRetained(sub *subscription, filter string) {
	for _, m := range b.retained.match(filter) {
		d := session.Delivery{QoS: min(m.qos, sub.qos), Retain: true, Stored: true}
		if sub.identifier > 0 {
			d.Identifiers = []uint32{sub.identifier}
		}
		b.deliver(sub.subscriber, m.Message, d)
	}
}
