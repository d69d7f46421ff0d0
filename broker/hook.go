package broker

import (
	"math"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/session"
)

// hook is where mochi calls us. What goes from clients to subscribers passes by
// mochi here: it decodes packets, answers SUBSCRIBE and keeps the connections, and
// of messages it sees its own of $SYS only. The methods run in the goroutine that
// reads from the client, unless they say otherwise.
type hook struct {
	mqtt.HookBase
	broker *Broker
}

func (h *hook) ID() string { return "sluice" }

func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnConnect, mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPacketRead, mqtt.OnPacketEncode, mqtt.OnPacketSent, mqtt.OnSubscribe, mqtt.OnSubscribed, mqtt.OnUnsubscribe,
		mqtt.OnPublish, mqtt.OnClientExpired:
		return true
	}
	return false
}

func (h *hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck is called for filters that are subscribed to.
func (h *hook) OnACLCheck(cl *mqtt.Client, filter string, _ bool) bool {
	p, ok := peerOf(cl)
	return !ok || h.broker.readable(p, filter)
}

func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	p, _ := peerOf(cl)
	if code := h.broker.admit(p, cl, pk); code != packets.CodeSuccess {
		_ = h.broker.server.SendConnack(cl, connackCode(code, cl.Properties.ProtocolVersion), false, nil)
		return code
	}
	p.left()
	p.client.Store(cl)
	p.terms = session.Terms{
		Version: pk.ProtocolVersion, ReceiveMaximum: int(pk.Properties.ReceiveMaximum), MaximumPacket: int(pk.Properties.MaximumPacketSize),
	}
	cl.Properties.Will = mqtt.Will{}
	cl.Net.Inline = true // mochi leaves the checks of what it publishes to us
	// Mochi keeps aliases beyond the connection that they belong to.
	cl.Properties.Props.TopicAliasMaximum = 0
	h.broker.shorten(cl)
	p.keepAlive(cl.State.Keepalive)
	return nil
}

// OnSessionEstablish runs before mochi ends an earlier connection of the client.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, pk packets.Packet) {
	p, _ := peerOf(cl)
	if wait := h.broker.enrol(p, cl, pk.Connect.Clean); wait != nil {
		_ = wait(p.ctx) // when the disk fails, it will be done later
	}
	if _, known := h.broker.server.Clients.Get(cl.ID); p.resumed && !known {
		h.broker.introduce(p.subscriber.Load(), cl)
	}
}

// OnSessionEstablished runs after CONNACK.
func (h *hook) OnSessionEstablished(cl *mqtt.Client, _ packets.Packet) {
	cl.State.Inflight.ResetReceiveQuota(math.MaxInt32) // receiving is bounded by what is owed
	p, _ := peerOf(cl)
	p.subscriber.Load().session.Attach(p, p.terms)
}

// OnPacketRead keeps the acknowledgements of both directions from mochi, which
// looks up packet identifiers in one set for both. Nothing but that keeps it from
// answering them, so that connections need no filter below it.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	p, _ := peerOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Connect:
		if p.will = willOf(pk); p.will != nil && len(pk.Connect.WillPayload) == 0 {
			pk.Connect.WillPayload = []byte{0} // else mochi refuses it
		}
		pk.Connect.PasswordFlag = len(pk.Connect.Password) > 0 // likewise
	case packets.Publish:
		if fault := p.aliases.resolve(&pk, h.broker.limits.Aliases); fault != nil {
			p.blame(fault)
			return pk, packets.ErrRejectPacket // which ends the connection
		}
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		p.acknowledged(pk)
		return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}}, nil // which mochi ignores
	case packets.Subscribe, packets.Unsubscribe:
		if pk.PacketID != 0 {
			p.request = pk.PacketID
			pk.PacketID, pk.FixedHeader.Qos = 0, 0
		}
	case packets.Disconnect:
		if discards(pk, cl.Properties.Props) {
			p.will = nil
		}
	}
	return pk, nil
}

// OnPacketEncode runs in any goroutine.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	p, _ := peerOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Suback, packets.Unsuback:
		pk.PacketID = p.request
	case packets.Connack:
		pk.SessionPresent = p.resumed
		pk.Properties.MaximumPacketSize = uint32(h.broker.limits.PacketBytes)
		pk.Properties.TopicAliasMaximum = uint16(h.broker.limits.Aliases)
	case packets.Disconnect:
		if cl.Properties.ProtocolVersion < 5 || !p.opened.Load() { // [MQTT-3.14.0-1]
			pk.FixedHeader.Type = packets.Reserved // is not sent: servers of that time just close
		}
	}
	return pk
}

// OnPacketSent notes that the connection is open, and lets the messages go that
// waited for SUBACK. It runs in any goroutine.
func (h *hook) OnPacketSent(cl *mqtt.Client, pk packets.Packet, _ []byte) {
	p, _ := peerOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Connack:
		p.opened.Store(true)
	case packets.Suback:
		p.subscriber.Load().session.Release(p)
	}
}

// OnSubscribe makes mochi refuse the filters that we do (MQTT 5: 0x8F): it
// refuses an empty one.
func (h *hook) OnSubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	p, _ := peerOf(cl)
	room := h.broker.limits.Filters - h.broker.filters(p)
	for i := range pk.Filters {
		switch {
		case i >= room:
			h.broker.turnAway(RefusedFilters, cl.ID, "client", cl.ID, "limit", h.broker.limits.Filters)
		case !h.broker.subscribable(pk.Filters[i].Filter):
			h.broker.turnAway(RefusedFilter, cl.ID, "client", cl.ID)
		default:
			continue
		}
		pk.Filters[i].Filter = ""
	}
	return pk
}

// OnSubscribed runs before SUBACK.
func (h *hook) OnSubscribed(cl *mqtt.Client, pk packets.Packet, codes []byte) {
	p, _ := peerOf(cl)
	p.subscriber.Load().session.Hold(p)
	p.subscribe(pk.Filters, codes)
}

func (h *hook) OnUnsubscribe(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	p, _ := peerOf(cl)
	p.unsubscribe(pk.Filters)
	return pk
}

// OnPublish leaves mochi nothing to route, to keep or to acknowledge.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	p, _ := peerOf(cl)
	p.receive(pk)
	return pk, packets.ErrRejectPacket
}

// OnClientExpired runs in mochi's own goroutine, as long as the client is away.
func (h *hook) OnClientExpired(cl *mqtt.Client) {
	if p, ok := peerOf(cl); ok {
		h.broker.expire(p)
	}
}
