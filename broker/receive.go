package broker

import (
	"context"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/topic"
)

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

// receive takes a client's message, or not, and sees to its answer.
func (p *peer) receive(pk packets.Packet) {
	if p.ending || p.broker.stopped() {
		return // unanswered, so that the client keeps it
	}
	m := messageOf(pk)
	if code := p.broker.allow(p, m.Topic); code != packets.CodeSuccess {
		p.refuse(pk, code, code)
		return
	}
	p.enter()
	d, code, err := p.accept(pk, m)
	p.leave()
	switch {
	case code != packets.CodeSuccess:
		p.refuse(pk, code, err)
	case m.QoS > 0:
		p.owe(d)
	}
}

// accept offers a message to the taps and routes it, unless it is a repetition.
// The order lock is held.
func (p *peer) accept(pk packets.Packet, m topic.Message) (debt, packets.Code, error) {
	d, s := debtFor(pk), p.subscriber.Load()
	earlier, repeated := s.inbox.find(d.id)
	if repeated = repeated && d.kind == packets.Pubrec; repeated && !earlier.restored {
		d.wait = earlier.wait
		return d, packets.CodeSuccess, nil
	}
	out := publicationOf(m, pk.Properties, s)
	if d.kind == packets.Pubrec {
		out.id = d.id
	}
	p.broker.gather(out)
	if err := p.broker.promise(out); err != nil {
		return d, packets.ErrQuotaExceeded, err
	}
	if code := p.broker.room(m); code != packets.CodeSuccess {
		return d, code, code
	}
	wait, err := p.broker.offer(m)
	if err != nil && m.QoS > 0 {
		return d, because(packets.ErrQuotaExceeded, "the message cannot be stored for the broker upstream"), err
	}
	if err != nil {
		p.broker.countRefused(p.client.Load(), m.Topic, packets.ErrQuotaExceeded, err)
	}
	d.wait = both(wait, p.broker.keep(out))
	if repeated { // its sessions have it, only the rest may have been lost
		s.inbox.add(d.id, receipt{wait: d.wait, stored: true})
		return d, packets.CodeSuccess, nil
	}
	kept := p.broker.distribute(out, m.QoS > 0)
	d.wait = both(d.wait, kept)
	if d.kind == packets.Pubrec {
		s.inbox.add(d.id, receipt{wait: d.wait, stored: kept != nil && s.kept != nil})
	}
	return d, packets.CodeSuccess, nil
}

// refuse answers a message that is not taken. Before MQTT 5 the only way is to
// disconnect, once everything sooner has been acknowledged.
func (p *peer) refuse(pk packets.Packet, code packets.Code, cause error) {
	p.broker.countRefused(p.client.Load(), pk.TopicName, code, cause)
	if pk.FixedHeader.Qos > 0 {
		d := debtFor(pk)
		d.refusal = code
		p.ending = p.version() < 5
		p.owe(d)
	}
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
	b.countMessage(code)
	about := "refused: " + code.Reason
	if cl.Properties.Props.AssignedClientID == "" { // else it has another name each time
		about += ": " + cl.ID
	}
	b.notice.warn(b.log, about, "refused a message", "client", cl.ID, "topic", name, "err", cause)
}

func (b *Broker) countMessage(code packets.Code) {
	b.refused.Add(1)
	b.door.count(refusalOf(code))
}

// owe adds a debt; when too many are owed already, the client is read no further
// until one is paid.
func (p *peer) owe(d debt) {
	for !p.owed.add(d) {
		select {
		case <-p.owed.room:
		case <-p.done:
			return
		}
	}
}

// acknowledge pays what is owed in order until the connection ends or the broker
// stops.
func (p *peer) acknowledge() {
	for {
		if !p.payAll() {
			return
		}
		select {
		case <-p.done:
			return
		case <-p.owed.more:
		case <-p.broker.stopping:
			if p.payAll() {
				p.end(packets.ErrServerShuttingDown)
			}
			return
		}
	}
}

// payAll pays what is owed now. It returns false when the connection has ended.
func (p *peer) payAll() bool {
	for d, ok := p.owed.take(); ok; d, ok = p.owed.take() {
		if p.isDone() || !p.pay(d) {
			return false
		}
	}
	return true
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
		if err != nil && d.kind == packets.Pubcomp { // the client asks again
			p.end(packets.ErrQuotaExceeded)
			return false
		}
		if err != nil {
			d.refusal = packets.ErrQuotaExceeded
			p.broker.countRefused(p.client.Load(), "", d.refusal, err)
		}
	}
	if d.refusal != packets.CodeSuccess && d.kind != packets.Pubcomp {
		if d.kind == packets.Pubrec {
			p.subscriber.Load().settle(d.id)
		}
		if p.version() < 5 {
			p.end(d.refusal)
			return false
		}
	}
	return p.write(d.kind, d.id, d.refusal) == nil
}

// acknowledged goes on with an exchange of QoS 1 or 2, of either direction.
func (p *peer) acknowledged(pk packets.Packet) {
	s := p.subscriber.Load()
	refused := pk.ReasonCode >= packets.ErrUnspecifiedError.Code
	switch id := pk.PacketID; pk.FixedHeader.Type {
	case packets.Puback:
		s.session.Puback(id)
	case packets.Pubrec:
		if !s.session.Pubrec(id, refused) && !refused {
			_ = p.write(packets.Pubrel, id, packets.ErrPacketIdentifierNotFound)
		}
	case packets.Pubcomp:
		s.session.Pubcomp(id)
	case packets.Pubrel:
		p.complete(id)
	}
}

// complete answers PUBREL, once the packet identifier is free on flash too.
func (p *peer) complete(id uint16) {
	wait, known := p.subscriber.Load().settle(id)
	d := debt{kind: packets.Pubcomp, id: id, refusal: packets.CodeSuccess, wait: wait}
	if !known {
		d.refusal = packets.ErrPacketIdentifierNotFound
	}
	if wait == nil {
		_ = p.write(d.kind, id, d.refusal)
		return
	}
	p.owe(d)
}

// settle makes a packet identifier free, and reports whether it was in use. It
// returns how to wait until that is kept; nil if it needs not be.
func (s *subscriber) settle(id uint16) (wait func(context.Context) error, known bool) {
	r, known := s.inbox.remove(id)
	switch {
	case s.kept == nil:
	case r.stored:
		wait = s.kept.Free(id)
	case !known: // perhaps since an attempt to keep it failed
		wait = s.kept.Freed()
	}
	return wait, known
}

func (p *peer) write(kind byte, id uint16, code packets.Code) error {
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: kind}, PacketID: id, ReasonCode: code.Code}
	if kind == packets.Pubrel {
		pk.FixedHeader.Qos = 1 // as the flags of PUBREL are
	}
	if code != packets.CodeSuccess {
		pk.Properties.ReasonString = code.Reason
	}
	return p.client.Load().WritePacket(pk)
}

func (p *peer) version() byte { return p.client.Load().Properties.ProtocolVersion }

// inbox holds the QoS 2 packet identifiers between PUBLISH and PUBREL. It lives as
// long as the session.
type inbox struct {
	mu   sync.Mutex
	held map[uint16]receipt
}

// receipt is a message received with QoS 2.
type receipt struct {
	wait     func(context.Context) error // for the message; nil: nothing to wait for
	stored   bool                        // the identifier is kept
	restored bool                        // since before the start
}

func (i *inbox) add(id uint16, r receipt) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held == nil {
		i.held = map[uint16]receipt{}
	}
	i.held[id] = r
}

func (i *inbox) find(id uint16) (receipt, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	r, ok := i.held[id]
	return r, ok
}

func (i *inbox) remove(id uint16) (receipt, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	r, ok := i.held[id]
	delete(i.held, id)
	return r, ok
}
