package broker

import (
	"context"
	"sync"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// strainPause is the least time between two messages of a client while one of
// their subscribers is behind.
const strainPause = 5 * time.Millisecond

// debt is the answer to a message of QoS 1 or 2, in the order of the messages.
type debt struct {
	kind    byte // packets.Puback or packets.Pubrec
	id      uint16
	refusal packets.Code                // CodeSuccess: accepted
	wait    func(context.Context) error // nil: nothing to wait for
}

func debtFor(pk packets.Packet) debt {
	d := debt{kind: packets.Puback, id: pk.PacketID, refusal: packets.CodeSuccess}
	if pk.FixedHeader.Qos == 2 {
		d.kind = packets.Pubrec
	}
	return d
}

// receive decides about a client's message before mochi routes it: nil lets it
// pass, with the order lock held until answer.
func (p *peer) receive(pk packets.Packet) error {
	if p.ending || p.broker.stopped() {
		return packets.ErrRejectPacket // unanswered, so that the client keeps it
	}
	if code := p.broker.allow(pk.TopicName, pk.FixedHeader.Retain && len(pk.Payload) > 0); code != packets.CodeSuccess {
		return p.refuse(pk, code, code)
	}
	d := debtFor(pk)
	p.enter()
	if wait, repeated := p.inbox.find(d.id); repeated && d.kind == packets.Pubrec {
		p.leave()
		d.wait = wait
		p.owe(d)
		return packets.ErrRejectPacket
	}
	wait, err := p.broker.offer(messageOf(pk))
	if err != nil && pk.FixedHeader.Qos > 0 {
		p.leave()
		return p.refuse(pk, packets.ErrQuotaExceeded, err)
	}
	if err != nil {
		p.broker.countRefused(p.client.Load(), pk.TopicName, packets.ErrQuotaExceeded, err)
	}
	d.wait = wait
	if d.kind == packets.Pubrec {
		p.inbox.add(d)
	}
	p.accepted = d
	return nil
}

// answer ends what receive has begun, after mochi has routed the message. A
// publisher that is faster than one of its subscribers is slowed down, but never
// below what strainPause allows.
func (p *peer) answer(pk packets.Packet) {
	strained := p.broker.strained.Swap(false)
	p.leave()
	if strained {
		p.broker.pause(strainPause)
	}
	if pk.FixedHeader.Qos > 0 {
		p.owe(p.accepted)
	}
}

// refuse answers a message that is not taken. Before MQTT 5 the only way is to
// disconnect, once everything sooner has been acknowledged.
func (p *peer) refuse(pk packets.Packet, code packets.Code, cause error) error {
	p.broker.countRefused(p.client.Load(), pk.TopicName, code, cause)
	if pk.FixedHeader.Qos > 0 {
		d := debtFor(pk)
		d.refusal = code
		p.ending = p.version() < 5
		p.owe(d)
	}
	return packets.ErrRejectPacket
}

func (p *peer) enter() {
	p.broker.order.Lock()
	p.routing = true
}

func (p *peer) leave() {
	p.routing = false
	p.broker.order.Unlock()
}

// countRefused counts a message that is not taken, or not by every tap, and warns
// about it.
func (b *Broker) countRefused(cl *mqtt.Client, name string, code packets.Code, cause error) {
	b.refused.Add(1)
	about := "refused: " + code.Reason
	if cl.Properties.Props.AssignedClientID == "" { // else it has another name each time
		about += ": " + cl.ID
	}
	b.notice.warn(b.log, about, "refused a message", "client", cl.ID, "topic", name, "err", cause)
}

// owe adds a debt; when too many are owed already, the client is read no further
// until one is paid.
func (p *peer) owe(d debt) {
	select {
	case p.owed <- d:
	case <-p.done:
	}
}

// acknowledge pays what is owed in order until the connection ends or the broker
// stops.
func (p *peer) acknowledge() {
	for {
		select {
		case <-p.done:
			return
		case d := <-p.owed:
			if !p.pay(d) {
				return
			}
		case <-p.broker.stopping:
			for len(p.owed) > 0 && p.pay(<-p.owed) {
			}
			p.end(packets.ErrServerShuttingDown)
			return
		}
	}
}

// pay answers one message as soon as it may be answered. It returns false when
// that ended the connection.
func (p *peer) pay(d debt) bool {
	if d.wait != nil {
		err := d.wait(p.ctx)
		if p.ctx.Err() != nil && err != nil {
			p.end(packets.ErrServerShuttingDown)
			return false
		}
		if err != nil {
			d.refusal = packets.ErrQuotaExceeded
			p.broker.countRefused(p.client.Load(), "", d.refusal, err)
		}
	}
	if d.refusal != packets.CodeSuccess {
		if d.kind == packets.Pubrec {
			p.inbox.remove(d.id)
		}
		if p.version() < 5 {
			p.end(d.refusal)
			return false
		}
	}
	return p.write(d.kind, d.id, d.refusal) == nil
}

// release completes a QoS 2 message.
func (p *peer) release(id uint16) {
	code := packets.CodeSuccess
	if !p.inbox.remove(id) {
		code = packets.ErrPacketIdentifierNotFound
	}
	_ = p.write(packets.Pubcomp, id, code)
}

func (p *peer) write(kind byte, id uint16, code packets.Code) error {
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: id, ReasonCode: code.Code}
	if code != packets.CodeSuccess {
		pk.Properties.ReasonString = code.Reason
	}
	return p.client.Load().WritePacket(pk)
}

func (p *peer) version() byte { return p.client.Load().Properties.ProtocolVersion }

// inbox holds the QoS 2 packet identifiers between PUBLISH and PUBREL, and how to
// wait for their messages. It lives as long as the session.
type inbox struct {
	mu   sync.Mutex
	held map[uint16]func(context.Context) error
}

func (i *inbox) add(d debt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held == nil {
		i.held = map[uint16]func(context.Context) error{}
	}
	i.held[d.id] = d.wait
}

func (i *inbox) find(id uint16) (func(context.Context) error, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	wait, ok := i.held[id]
	return wait, ok
}

func (i *inbox) remove(id uint16) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.held[id]
	delete(i.held, id)
	return ok
}

// resume continues the session of an earlier connection, if it has one; mochi is
// about to do the same.
func (p *peer) resume(earlier *mqtt.Client, clean bool) {
	if clean || earlier.Properties.Clean && earlier.Properties.ProtocolVersion < 5 {
		return
	}
	if old, ok := peerOf(earlier); ok {
		p.inbox = old.inbox
	}
}
