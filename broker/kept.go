package broker

import (
	"context"
	"errors"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/auth"
	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/broker/session"
	"sluice/broker/topic"
)

// What outlives the gateway of sessions.

func poolLimits(cfg Config) session.Limits {
	l := cfg.Limits.Session
	if cfg.Journal != nil {
		l.StoredBytes = cfg.Journal.Limit()
	}
	return l
}

// shelf is where the sessions that are kept get a message from.
type shelf struct {
	broker  *Broker
	message *session.Message
	from    *subscriber // whose it is, and under which identifier, if it was sent with QoS 2
	id      uint16
	items   []*journal.Item
}

// deliver gives the message to one subscriber. The order lock is held, here and
// until store.
func (s *shelf) deliver(d delivery) {
	b := s.broker
	if d.to.kept != nil && d.QoS > 0 {
		if why := b.unkept(s.message, d); why != session.None {
			b.sessions.Drop(why)
			b.noticeDrop(d.to, why)
			return
		}
		d.Item = s.item()
	}
	if why := d.to.session.Deliver(s.message, d.Delivery); why != session.None {
		b.noticeDrop(d.to, why)
	}
}

// unkept reports why the journal can't take a message, or None.
func (b *Broker) unkept(m *session.Message, d delivery) session.Reason {
	switch {
	case !b.journal.Fits(m, len(d.Identifiers)):
		return session.Large
	case b.journal.Err() == journal.ErrBusy:
		return session.Memory
	}
	return session.None
}

// item returns one that takes a copy.
func (s *shelf) item() *journal.Item {
	if n := len(s.items); n > 0 && !s.items[n-1].Full() {
		return s.items[n-1]
	}
	it := s.broker.journal.NewItem(s.message)
	if len(s.items) == 0 && s.id > 0 && s.from.kept != nil {
		s.from.kept.Receive(it, s.id)
	}
	s.items = append(s.items, it)
	return it
}

// store has the message kept, and returns how to wait for that; nil if there is
// nothing to keep.
func (s *shelf) store(urgent bool) (wait func(context.Context) error) {
	for _, it := range s.items {
		if last := it.Store(urgent); last != nil {
			wait = last // the last is there when all are
		}
	}
	return wait
}

func (b *Broker) noticeDrop(s *subscriber, why session.Reason) {
	b.notice.warn(b.log, "drop "+s.id, "dropping messages for a subscriber that does not keep up", "client", s.id, "reason", why.String())
}

// promise reports why a client's message can't be kept on flash, for the sessions
// that gather has found or as a retained one, if it has to be.
func (b *Broker) promise(p publication) error {
	if b.store != nil && p.Retain && !retain.Fits(storedOf(p)) {
		return errRetained
	}
	for _, d := range b.deliveries {
		if d.to.kept == nil || d.QoS == 0 {
			continue
		}
		if err := b.journal.Err(); err != nil {
			return err
		}
		if !b.journal.Fits(p.content, len(d.Identifiers)) {
			return journal.ErrRecord
		}
	}
	return nil
}

var errRetained = errors.New("the message is too large to be retained")

// restoreSessions takes over what the journal kept, but for sessions that have
// expired and those of users who are no more.
func (b *Broker) restoreSessions() {
	if b.journal == nil {
		return
	}
	for _, kept := range b.journal.Sessions() {
		st, r := kept.State(), kept.Restored()
		rights, known := b.rightsOf(st.User)
		s := &subscriber{
			id: st.ClientID, user: st.User, kept: kept, session: b.sessions.Keep(kept, r), inbox: &inbox{}, subscriptions: map[string]*subscription{},
		}
		left := st.Expiry
		if !st.Since.IsZero() {
			left -= max(time.Since(st.Since), 0)
		}
		if !known || left <= 0 || b.subscribers[s.id] != nil {
			b.log.Info("a session has ended", "client", st.ClientID, "user", st.User, "expired", left <= 0)
			b.forget(s)
			continue
		}
		b.subscribers[s.id] = s
		for _, id := range r.Received {
			s.inbox.add(id, receipt{stored: true, restored: true})
		}
		b.restoreSubscriptions(s, r.Subscriptions, rights)
		if st.Since.IsZero() { // the gateway ended, not the client
			st.Since = time.Now()
			kept.Set(st)
		}
		if w := st.Will; w != nil && mayWrite(rights, s, w.Topic) && b.foreign(w.Topic) == packets.CodeSuccess {
			s.pending = w
		}
		s.expiry = time.AfterFunc(left, func() { b.expireUnowned(s) })
	}
}

// rightsOf returns what a user may do now, on any of the listeners that let
// anybody in if it is nobody; false if there is no such user.
func (b *Broker) rightsOf(user string) (all []auth.Rights, known bool) {
	if user != "" {
		if b.users == nil {
			return nil, false
		}
		rights, ok := b.users.Rights(user)
		return []auth.Rights{rights}, ok
	}
	for _, l := range b.listen {
		if l.Anonymous != nil {
			all = append(all, *l.Anonymous)
		}
	}
	return all, len(all) > 0
}

func mayRead(all []auth.Rights, s *subscriber, filter string) bool {
	for _, r := range all {
		if r.For(s.user, s.id).MayRead(filter) {
			return true
		}
	}
	return false
}

func mayWrite(all []auth.Rights, s *subscriber, name string) bool {
	for _, r := range all {
		if r.For(s.user, s.id).MayWrite(name) {
			return true
		}
	}
	return false
}

// restoreSubscriptions enters those that the user may still have.
func (b *Broker) restoreSubscriptions(s *subscriber, subs map[string]journal.Subscription, rights []auth.Rights) {
	for name, sub := range subs {
		filter := name
		if _, rest, shared := sharedFilter(name); shared {
			filter = rest
		}
		if !b.subscribable(name) || !mayRead(rights, s, filter) {
			b.log.Warn("a subscription has ended, the user may not read it any more", "client", s.id, "user", s.user, "filter", name)
			s.kept.Unsubscribe(name)
			continue
		}
		b.enter(s, subscriptionOf(name, sub))
	}
}

// optionsOf returns the options byte of a subscription [MQTT 5.0 section 3.8.3.1].
func optionsOf(sub packets.Subscription) byte {
	options := sub.Qos | sub.RetainHandling<<4
	if sub.NoLocal {
		options |= 4
	}
	if sub.RetainAsPublished {
		options |= 8
	}
	return options
}

func subscriptionOf(filter string, sub journal.Subscription) packets.Subscription {
	return packets.Subscription{
		Filter: filter, Qos: min(sub.Options&3, 2), NoLocal: sub.Options&4 != 0, RetainAsPublished: sub.Options&8 != 0,
		RetainHandling: sub.Options >> 4 & 3, Identifier: int(sub.Identifier),
	}
}

// introduce tells mochi of the subscriptions of a session that it does not know:
// it answers UNSUBSCRIBE, and sends what is below $SYS.
func (b *Broker) introduce(s *subscriber, cl *mqtt.Client) {
	b.order.Lock()
	defer b.order.Unlock()
	for filter, sub := range s.subscriptions {
		from := packets.Subscription{
			Filter: filter, Qos: sub.qos, NoLocal: sub.noLocal, RetainAsPublished: sub.asPublished, Identifier: int(sub.identifier),
		}
		b.server.Topics.Subscribe(cl.ID, from)
		cl.State.Subscriptions.Add(filter, from)
	}
}

// expireUnowned ends a session that nobody came back to since the start.
func (b *Broker) expireUnowned(s *subscriber) {
	b.order.Lock()
	defer b.order.Unlock()
	if s.owner == nil && b.subscribers[s.id] == s && !b.stopped() {
		b.forget(s)
	}
}

// restoreWills has the wills sent that were due before the start.
func (b *Broker) restoreWills() {
	b.order.Lock()
	defer b.order.Unlock()
	for _, s := range b.subscribers {
		kept := s.pending
		if s.owner != nil || s.will != nil || kept == nil {
			continue
		}
		w := &will{
			message: topic.Message{Topic: kept.Topic, Payload: kept.Payload, QoS: kept.QoS, Retain: kept.Retain}, properties: kept.Properties,
			props: packets.Properties{MessageExpiryInterval: uint32(kept.Life / time.Second)},
		}
		send := func() { b.sendWill(&mqtt.Client{ID: s.id}, w) }
		s.sendWill, s.will = send, time.AfterFunc(max(time.Until(kept.Due), 0), func() { send(); b.willSent(s) })
	}
}
