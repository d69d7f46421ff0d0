package broker

import (
	"math"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// hook is where mochi calls us. Except for wills its methods run in the
// goroutine that reads from the client, unless they say otherwise.
type hook struct {
	mqtt.HookBase
	broker *Broker
}

func (h *hook) ID() string { return "sluice" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnConnect, mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnSubscribe, mqtt.OnPublish, mqtt.OnPublished,
		mqtt.OnRetainPublished, mqtt.OnQosPublish, mqtt.OnWill, mqtt.OnWillSent:
		return true
	}
	return false
}

func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck is called for each subscriber that a message is routed to, in the
// publisher's goroutine, and for each subscription.
func (h *hook) OnACLCheck(cl *mqtt.Client, _ string, _ bool) bool {
	if p, ok := peerOf(cl); ok && p.behind(cl) {
		h.broker.strained.Store(true)
	}
	return true
}

func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	if code := h.broker.admit(cl, pk); code != packets.CodeSuccess {
		_ = h.broker.server.SendConnack(cl, connackCode(code, cl.Properties.ProtocolVersion), false, nil)
		return code
	}
	p, _ := peerOf(cl)
	p.client.Store(cl)
	// What an inline client publishes mochi routes and leaves unanswered: the
	// answer is ours.
	cl.Net.Inline = true
	// Mochi keeps aliases beyond the connection that they belong to.
	cl.Properties.Props.TopicAliasMaximum = 0
	// Its flow control loses messages and deadlocks (a recursive read lock in
	// Inflight.NextImmediate) once the send quota is not zero.
	cl.Properties.Props.ReceiveMaximum = 0
	limitWillDelay(cl)
	return nil
}

// limitWillDelay makes a delayed will leave before the session ends, which mochi
// forgets.
func limitWillDelay(cl *mqtt.Client) {
	expiry := min(cl.Properties.Props.SessionExpiryInterval, sessionExpiry)
	cl.Properties.Will.WillDelayInterval = min(cl.Properties.Will.WillDelayInterval, max(expiry, 1)-1)
}

func (h *hook) OnSessionEstablish(cl *mqtt.Client, pk packets.Packet) {
	p, _ := peerOf(cl)
	if earlier, ok := h.broker.server.Clients.Get(cl.ID); ok {
		p.resume(earlier, pk.Connect.Clean)
	}
}

// OnSessionEstablished sets the quotas again that mochi has set since OnConnect.
// Receiving is bounded by what is owed.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	cl.State.Inflight.ResetSendQuota(0)
	cl.State.Inflight.ResetReceiveQuota(math.MaxInt32)
}

// OnPacketRead keeps packet identifiers of the client away from mochi, which
// looks them up among those of the other direction.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	p, _ := peerOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Pubrel:
		p.release(pk.PacketID)
		return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}, nil // which mochi ignores
	case packets.Subscribe, packets.Unsubscribe:
		if pk.PacketID != 0 {
			p.request = pk.PacketID
			pk.PacketID, pk.FixedHeader.Qos = 0, 0
		}
	}
	return pk, nil
}

// OnPacketEncode runs in any goroutine.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	p, _ := peerOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Publish:
		p.encoded()
	case packets.Suback, packets.Unsuback:
		pk.PacketID = p.request
	case packets.Connack:
		pk.Properties.MaximumPacketSize = uint32(h.broker.limits.PacketBytes)
	case packets.Disconnect:
		if cl.Properties.ProtocolVersion < 5 {
			pk.FixedHeader.Type = packets.Reserved // is not sent: servers of that time just close
		}
	}
	return pk
}

// OnSubscribe makes mochi refuse the filters that we do (MQTT 5: 0x8F): it
// refuses an empty one.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	room := h.broker.limits.Filters - cl.State.Subscriptions.Len()
	for i := range pk.Filters {
		if i >= room || !h.broker.subscribable(pk.Filters[i].Filter) {
			pk.Filters[i].Filter = ""
		}
	}
	return pk
}

func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if p, ok := peerOf(cl); ok {
		return pk, p.receive(pk)
	}
	return pk, nil
}

func (h *hook) OnPublished(cl *mqtt.Client, pk packets.Packet) {
	if p, ok := peerOf(cl); ok {
		p.answer(pk)
	}
}

// OnRetainPublished is called for each retained message after a subscription.
// Mochi drops what its queue for the client cannot take.
func (h *hook) OnRetainPublished(cl *mqtt.Client, pk packets.Packet) {
	if p, ok := peerOf(cl); ok && pk.Origin != cl.ID { // its own ones may be skipped ("no local")
		p.routed()
	}
}

// OnQosPublish is called for each message that the subscriber has to
// acknowledge, in the publisher's goroutine, and again when it is resent.
func (h *hook) OnQosPublish(cl *mqtt.Client, pk packets.Packet, _ int64, _ int) {
	p, ok := peerOf(cl)
	if !ok || pk.FixedHeader.Type != packets.Publish {
		return
	}
	if pk.FixedHeader.Dup {
		p.resending()
		return
	}
	h.broker.boundUnacknowledged(p, cl, pk.PacketID)
}

// boundUnacknowledged disconnects a subscriber that acknowledges nothing, and
// drops what is new for one that is away.
func (b *Broker) boundUnacknowledged(p *peer, cl *mqtt.Client, id uint16) {
	limit := b.limits.Unacknowledged + 2*b.server.Topics.Retained.Len()
	switch {
	case cl.State.Inflight.Len() <= min(limit, math.MaxUint16-1):
	case !cl.Closed():
		b.notice.warn(b.log, "unacknowledged "+cl.ID, "disconnected a client that acknowledges nothing", "client", cl.ID, "limit", limit)
		p.end(packets.ErrQuotaExceeded)
	case cl.State.Inflight.Delete(id):
		atomic.AddInt64(&b.server.Info.Inflight, -1)
		atomic.AddInt64(&b.server.Info.InflightDropped, 1)
	}
}

// OnWill runs when a connection has ended without DISCONNECT. A broker that stops
// is not a client that fails.
func (h *hook) OnWill(_ *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	if h.broker.stopped() {
		return mqtt.Will{}, nil // mochi routes it to nobody
	}
	return will, nil
}

// OnWillSent runs once a will was routed, after its delay.
func (h *hook) OnWillSent(cl *mqtt.Client, pk packets.Packet) {
	if pk.TopicName == "" {
		return
	}
	h.broker.order.Lock()
	_, err := h.broker.offer(messageOf(pk))
	h.broker.order.Unlock()
	if err != nil {
		h.broker.countRefused(cl, pk.TopicName, packets.ErrQuotaExceeded, err)
	}
}
