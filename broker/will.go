package broker

import (
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/topic"
)

// will is the message of a client that ends without saying so. Mochi never sees
// it: mochi routes wills past every hook that could stop them.
type will struct {
	message topic.Message
	props   packets.Properties
	delay   time.Duration
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
		s.sendWill, s.will = send, time.AfterFunc(delay, send)
	}
	b.order.Unlock()
	if !later {
		send()
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
	b.keep(out) // nobody waits for it
	b.route(out)
}
