package broker

import (
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/journal"
	"sluice/broker/topic"
)

// will is the message of a client that ends without saying so. Mochi never sees
// it: mochi routes wills past every hook that could stop them.
type will struct {
	message topic.Message
	props   packets.Properties
	delay   time.Duration

	properties []byte // those that receivers get, of a will from before the start
}

func willOf(pk packets.Packet) *will {
	c := pk.Connect
	if !c.WillFlag {
		return nil
	}
	return &will{
		message: topic.Message{Topic: c.WillTopic, Payload: c.WillPayload, QoS: c.WillQos, Retain: c.WillRetain},
		props:   c.WillProperties,
		delay:   time.Duration(c.WillProperties.WillDelayInterval) * time.Second,
	}
}

// discards reports whether a DISCONNECT takes the will back [MQTT-3.14.4-3].
func discards(pk packets.Packet, connected packets.Properties) bool {
	p := pk.Properties
	violation := p.SessionExpiryIntervalFlag && p.SessionExpiryInterval > 0 && connected.SessionExpiryInterval == 0
	return pk.ReasonCode == packets.CodeDisconnect.Code && !violation
}

// execute sends the will of a connection that has ended: after its delay or when
// the session ends, whichever comes first, unless another connection goes on with
// the session before [MQTT-3.1.3-9]. A broker that stops is not a client that
// fails.
func (p *peer) execute(sessionLeft time.Duration) {
	w, s, b := p.will, p.subscriber.Load(), p.broker
	if w == nil || s == nil {
		return
	}
	send := func() { b.sendWill(p.client.Load(), w) }
	delay := min(w.delay, sessionLeft)
	b.order.Lock()
	ended := b.subscribers[s.id] != s
	later := !ended && delay > 0
	if later && s.owner == p {
		b.await(s, w, delay, send)
	}
	b.order.Unlock()
	if !later {
		send()
	}
}

// await has a will sent after a delay. The order lock is held.
func (b *Broker) await(s *subscriber, w *will, delay time.Duration, send func()) {
	s.pending = &journal.Will{
		Due: time.Now().Add(delay), Topic: w.message.Topic, Payload: w.message.Payload, QoS: w.message.QoS, Retain: w.message.Retain,
		Properties: encodeProperties(w.props), Life: time.Duration(w.props.MessageExpiryInterval) * time.Second,
	}
	s.sendWill, s.will = send, time.AfterFunc(delay, func() { send(); b.willSent(s) })
}

// willSent takes note that no will is due any more.
func (b *Broker) willSent(s *subscriber) {
	b.order.Lock()
	defer b.order.Unlock()
	if s.pending = nil; s.kept != nil && s.will != nil && b.subscribers[s.id] == s {
		st := s.kept.State()
		st.Will = nil
		s.kept.Set(st)
	}
}

// sendWill offers a will to the taps and routes it, without waiting for the taps.
// It is kept only if a client's message would be.
func (b *Broker) sendWill(cl *mqtt.Client, w *will) {
	if b.stopped() {
		return
	}
	b.order.Lock()
	defer b.order.Unlock()
	m := w.message
	if code := b.room(m); code != packets.CodeSuccess {
		b.countRefused(cl, m.Topic, code, code)
		m.Retain = false
	}
	if _, err := b.offer(m); err != nil {
		b.countRefused(cl, m.Topic, packets.ErrQuotaExceeded, err)
	}
	out := publicationOf(m, w.props, nil)
	if w.properties != nil {
		out.content.Properties = w.properties
	}
	b.keep(out) // nobody waits for it
	b.route(out)
}
