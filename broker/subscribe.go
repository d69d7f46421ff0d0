package broker

import (
	"context"
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/journal"
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

// subscribe takes note of the subscriptions that were accepted, and of a session
// that is kept waits until they are on flash. Those that can't be are refused.
func (p *peer) subscribe(filters packets.Subscriptions, codes []byte) {
	b, s := p.broker, p.subscriber.Load()
	var wait func(context.Context) error
	for i, code := range codes {
		if code > packets.CodeGrantedQos2.Code {
			continue
		}
		kept, err := b.subscribe(s, filters[i])
		if err != nil {
			b.turnAway(RefusedFilters, s.id, "client", s.id, "err", err)
			codes[i] = p.refusedFilter()
			continue
		}
		wait = kept // the last is there when all are
	}
	if wait == nil || wait(p.ctx) == nil {
		return
	}
	for i, code := range codes {
		if code <= packets.CodeGrantedQos2.Code {
			b.resign(s, filters[i].Filter)
			codes[i] = p.refusedFilter()
		}
	}
}

func (p *peer) refusedFilter() byte {
	if p.version() < 5 {
		return packets.ErrUnspecifiedError.Code
	}
	return packets.ErrQuotaExceeded.Code
}

// unsubscribe takes subscriptions away, and of a session that is kept waits until
// that is on flash. If it can't be, the client is not told that it is.
func (p *peer) unsubscribe(filters packets.Subscriptions) {
	s := p.subscriber.Load()
	var wait func(context.Context) error
	for _, f := range filters {
		if kept := p.broker.resign(s, f.Filter); kept != nil {
			wait = kept
		}
	}
	if wait != nil && wait(p.ctx) != nil {
		p.end(packets.ErrQuotaExceeded)
	}
}

// subscribe takes note of an accepted subscription, in place of one to the same
// filter [MQTT-3.8.4-3], and queues the retained messages that belong to it. It
// returns how to wait until that is kept; nil if it is not to be.
func (b *Broker) subscribe(s *subscriber, from packets.Subscription) (wait func(context.Context) error, err error) {
	b.order.Lock()
	defer b.order.Unlock()
	if s.kept != nil {
		if wait, err = s.kept.Subscribe(from.Filter, journal.Subscription{Options: optionsOf(from), Identifier: uint32(from.Identifier)}); err != nil {
			return nil, err
		}
	}
	_, existed := s.subscriptions[from.Filter]
	sub := b.enter(s, from)
	if sub.group == nil && (from.RetainHandling == 0 || from.RetainHandling == 1 && !existed) {
		if last := b.deliverRetained(sub, from.Filter); last != nil {
			wait = last
		}
	}
	return wait, nil
}

// enter puts a subscription where messages find it. The order lock is held.
func (b *Broker) enter(s *subscriber, from packets.Subscription) *subscription {
	sub := &subscription{
		subscriber: s, qos: from.Qos, noLocal: from.NoLocal, asPublished: from.RetainAsPublished, identifier: uint32(from.Identifier),
	}
	b.unsubscribe(s, from.Filter)
	s.subscriptions[from.Filter] = sub
	if _, filter, shared := sharedFilter(from.Filter); shared {
		b.join(sub, from.Filter, filter) // and gets no retained messages
	} else {
		b.index.Add(from.Filter, target{subscription: sub})
	}
	return sub
}

// resign takes a subscription away. It returns how to wait until that is kept; nil
// if there is nothing to keep.
func (b *Broker) resign(s *subscriber, filter string) (wait func(context.Context) error) {
	b.order.Lock()
	defer b.order.Unlock()
	if s.kept != nil && s.subscriptions[filter] != nil {
		wait = s.kept.Unsubscribe(filter)
	}
	b.unsubscribe(s, filter)
	return wait
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

// deliverRetained returns how to wait until all is kept; nil if nothing is to be.
func (b *Broker) deliverRetained(sub *subscription, filter string) (wait func(context.Context) error) {
	for _, m := range b.retained.match(filter) {
		d := session.Delivery{QoS: min(m.qos, sub.qos), Retain: true, Stored: true}
		if sub.identifier > 0 {
			d.Identifiers = []uint32{sub.identifier}
		}
		shelf := shelf{broker: b, message: m.Message}
		shelf.deliver(delivery{sub.subscriber, d})
		if last := shelf.store(true); last != nil {
			wait = last
		}
	}
	return wait
}
