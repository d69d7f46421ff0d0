package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/session"
	"sluice/broker/topic"
)

// publication is a message on its way to subscribers.
type publication struct {
	topic.Message
	content *session.Message
	from    *subscriber // nil: the gateway
	id      uint16      // packet identifier, if it was sent with QoS 2
}

// publicationOf makes one of a message with its MQTT 5 properties.
func publicationOf(m topic.Message, props packets.Properties, from *subscriber) publication {
	content := &session.Message{Topic: m.Topic, Payload: m.Payload, Properties: encodeProperties(props)}
	if life := props.MessageExpiryInterval; life > 0 {
		content.Expires = time.Now().Add(time.Duration(life) * time.Second)
	}
	return publication{Message: m, content: content, from: from}
}

// encodeProperties encodes those that go to every subscriber unchanged.
func encodeProperties(p packets.Properties) []byte {
	passed := packets.Properties{
		PayloadFormat: p.PayloadFormat, PayloadFormatFlag: p.PayloadFormatFlag, ContentType: p.ContentType,
		ResponseTopic: p.ResponseTopic, CorrelationData: p.CorrelationData, User: p.User,
	}
	var b bytes.Buffer
	passed.Encode(packets.Publish, packets.Mods{AllowResponseInfo: true}, &b, 0)
	_, n := binary.Uvarint(b.Bytes()) // of their length, which is not wanted
	if n <= 0 || b.Len() == n {
		return nil
	}
	return b.Bytes()[n:]
}

// delivery is what one subscriber gets of the message being routed.
type delivery struct {
	to *subscriber
	session.Delivery
}

// route delivers a message that nobody waits for.
func (b *Broker) route(p publication) (wait func(context.Context) error) {
	b.gather(p)
	return b.distribute(p, false)
}

// gather finds out who gets a message: each subscriber once, at the highest QoS of
// its subscriptions that match [MQTT-3.3.5-1]. The order lock is held, here and
// until distribute.
func (b *Broker) gather(p publication) {
	b.round++
	b.deliveries = b.deliveries[:0]
	for t := range b.index.Match(p.Topic) {
		sub := t.subscription
		if t.group != nil {
			sub = t.group.choose()
		}
		if !sub.noLocal || sub.subscriber != p.from { // [MQTT-3.8.3-3]
			b.add(sub, p)
		}
	}
}

// distribute delivers what gather has found, and keeps the message if it is
// retained. It returns how to wait until the sessions that are kept have the
// message on flash, or are done with it; nil if there are none. Without urgent that
// may take a while.
func (b *Broker) distribute(p publication, urgent bool) (wait func(context.Context) error) {
	if p.Retain {
		b.retained.set(p.content, p.QoS)
		b.countRetained()
	}
	shelf := shelf{broker: b, message: p.content, from: p.from, id: p.id}
	for _, d := range b.deliveries {
		shelf.deliver(d)
	}
	return shelf.store(urgent)
}

// add merges sub with what its subscriber gets already.
func (b *Broker) add(sub *subscription, p publication) {
	s := sub.subscriber
	if s.round != b.round {
		s.round, s.hit = b.round, len(b.deliveries)
		b.deliveries = append(b.deliveries, delivery{to: s})
	}
	d := &b.deliveries[s.hit]
	d.QoS = max(d.QoS, min(p.QoS, sub.qos))
	d.Retain = d.Retain || p.Retain && sub.asPublished
	if id := sub.identifier; id > 0 && !slices.Contains(d.Identifiers, id) {
		d.Identifiers = append(d.Identifiers, id)
	}
}
