package broker

import (
	"time"

	"sluice/broker/session"
)

// subscriber is a client's session: what outlives its connections. The order lock
// guards it, but for the session and the inbox, which have locks of their own.
type subscriber struct {
	id            string
	session       *session.Session
	inbox         *inbox
	owner         *peer // its connection, or the last one
	subscriptions map[string]*subscription
	will          *time.Timer // of a connection that has ended; nil: none is due
	sendWill      func()      // what will would do; call it without the order lock

	round uint64 // of the broker, when it was last found to get a message
	hit   int    // which delivery of that round is its
}

// enrol gives a new connection its session: the one there is, unless fresh.
func (b *Broker) enrol(p *peer, id string, fresh bool) {
	b.order.Lock()
	s := b.subscribers[id]
	var sendWill func()
	if s != nil {
		sendWill = s.cancelWill()
	}
	if s != nil && fresh {
		b.forget(s)
	}
	p.resumed = s != nil && !fresh
	if !p.resumed {
		s = &subscriber{id: id, session: b.sessions.New(), inbox: &inbox{}, subscriptions: map[string]*subscription{}}
		b.subscribers[id] = s
	}
	s.owner = p
	p.subscriber.Store(s)
	b.order.Unlock()
	if sendWill != nil && fresh { // its session has ended [MQTT-3.1.3-9]
		sendWill()
	}
}

// cancelWill returns how to send the will after all; nil if none was due.
func (s *subscriber) cancelWill() func() {
	if s.will == nil || !s.will.Stop() {
		return nil
	}
	s.will = nil
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

// forget ends a session. The order lock is held.
func (b *Broker) forget(s *subscriber) {
	for filter := range s.subscriptions {
		b.unsubscribe(s, filter)
	}
	s.session.Close()
	delete(b.subscribers, s.id)
}
