package broker

import (
	"context"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"sluice/broker/journal"
	"sluice/broker/session"
)

// subscriber is a client's session: what outlives its connections. The order lock
// guards it, but for the session and the inbox, which have locks of their own.
type subscriber struct {
	id            string
	user          string // who began it
	session       *session.Session
	kept          *journal.Session // the part of it that outlives the gateway; nil: none
	inbox         *inbox
	owner         *peer // its connection, or the last one; nil: it had none since the start
	subscriptions map[string]*subscription
	will          *time.Timer   // of a connection that has ended; nil: none is due
	sendWill      func()        // what will would do; call it without the order lock
	pending       *journal.Will // the same, to be kept
	expiry        *time.Timer   // of a session that had no connection since the start

	round uint64 // of the broker, when it was last found to get a message
	hit   int    // which delivery of that round is its
}

// enrol gives a new connection its session: the one there is, unless the client
// wants a clean one or the other would have ended by now. It returns how to wait
// until the end of another is known on flash; nil if there is nothing to wait for.
func (b *Broker) enrol(p *peer, cl *mqtt.Client, clean bool) (wait func(context.Context) error) {
	b.order.Lock()
	s := b.subscribers[cl.ID]
	var sendWill func()
	if s != nil {
		sendWill = s.cancelWill()
	}
	fresh := clean || s == nil || s.owner != nil && b.sessionLeft(s.owner.client.Load()) == 0
	if s != nil && fresh {
		wait = b.forget(s)
	}
	p.resumed = !fresh
	left := b.sessionLeft(cl)
	if fresh {
		s = b.newSubscriber(cl.ID, p.user, left)
	} else if s.kept != nil {
		s.kept.Set(journal.State{ClientID: s.id, User: s.user, Expiry: left})
	}
	if s.owner = p; s.expiry != nil {
		s.expiry.Stop()
	}
	p.subscriber.Store(s)
	b.order.Unlock()
	if sendWill != nil && fresh { // its session has ended [MQTT-3.1.3-9]
		sendWill()
	}
	return wait
}

// newSubscriber begins a session, which is kept if it can outlive its connection.
// The order lock is held.
func (b *Broker) newSubscriber(id, user string, left time.Duration) *subscriber {
	s := &subscriber{id: id, user: user, inbox: &inbox{}, subscriptions: map[string]*subscription{}}
	if b.journal != nil && left > 0 {
		s.kept = b.journal.Begin(journal.State{ClientID: id, User: user, Expiry: left})
		s.session = b.sessions.Keep(s.kept, journal.Restored{})
	} else {
		s.session = b.sessions.New()
	}
	b.subscribers[id] = s
	return s
}

// ownerOf returns whose session a client id has, if it has one, and how many
// sessions there are.
func (b *Broker) ownerOf(id string) (user string, known bool, sessions int) {
	b.order.Lock()
	defer b.order.Unlock()
	if s := b.subscribers[id]; s != nil {
		user, known = s.user, true
	}
	return user, known, len(b.subscribers)
}

// cancelWill returns how to send the will after all; nil if none was due.
func (s *subscriber) cancelWill() func() {
	if s.will == nil || !s.will.Stop() {
		return nil
	}
	s.will, s.pending = nil, nil
	return s.sendWill
}

// depart ends what a connection has to do with its session, and with expired the
// session too, unless a newer connection has it.
func (b *Broker) depart(p *peer, expired bool) {
	s := p.subscriber.Load()
	if s == nil {
		return
	}
	s.session.Detach(p)
	if expired {
		b.expire(p)
		return
	}
	b.order.Lock()
	defer b.order.Unlock()
	if s.kept != nil && s.owner == p && b.subscribers[s.id] == s {
		s.kept.Set(journal.State{ClientID: s.id, User: s.user, Expiry: b.sessionLeft(p.client.Load()), Since: time.Now(), Will: s.pending})
	}
}

// expire ends the session of p, unless a newer connection has it.
func (b *Broker) expire(p *peer) {
	b.order.Lock()
	defer b.order.Unlock()
	if s := p.subscriber.Load(); s != nil && s.owner == p && b.subscribers[s.id] == s {
		b.forget(s)
	}
}

// forget ends a session. It returns how to wait until that is known on flash; nil
// if it never was. The order lock is held.
func (b *Broker) forget(s *subscriber) (wait func(context.Context) error) {
	for filter := range s.subscriptions {
		b.unsubscribe(s, filter)
	}
	s.session.Close()
	if b.subscribers[s.id] == s {
		delete(b.subscribers, s.id)
	}
	if s.kept == nil {
		return nil
	}
	return s.kept.End()
}
