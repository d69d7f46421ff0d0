package mqtt_test

import (
	"bytes"
	"encoding/binary"
	"slices"
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// pack makes a packet of its first byte and the rest.
func pack(first byte, parts ...[]byte) []byte {
	body := join(parts...)
	return join([]byte{first}, varint(len(body)), body)
}

func varint(n int) []byte              { return binary.AppendUvarint(nil, uint64(n)) }
func u16(n uint16) []byte              { return binary.BigEndian.AppendUint16(nil, n) }
func u32(n uint32) []byte              { return binary.BigEndian.AppendUint32(nil, n) }
func text(s string) []byte             { return join(u16(uint16(len(s))), []byte(s)) }
func raw(b ...byte) []byte             { return b }
func pingreq() []byte                  { return pack(tPINGREQ) }
func ack(first byte, id uint16) []byte { return pack(first, u16(id)) }

// Properties of MQTT 5; each is its identifier and value.
func prop8(id, v byte) []byte           { return []byte{id, v} }
func prop16(id byte, v uint16) []byte   { return join([]byte{id}, u16(v)) }
func prop32(id byte, v uint32) []byte   { return join([]byte{id}, u32(v)) }
func propText(id byte, s string) []byte { return join([]byte{id}, text(s)) }
func propUser(k, v string) []byte       { return join([]byte{38}, text(k), text(v)) }
func propVarint(id byte, n int) []byte  { return join([]byte{id}, varint(n)) }

const (
	pFormat         = 1
	pExpiry         = 2
	pContentType    = 3
	pResponseTopic  = 8
	pCorrelation    = 9
	pSubscription   = 11
	pSessionExpiry  = 17
	pAssignedID     = 18
	pMethod         = 21
	pData           = 22
	pProblems       = 23
	pWillDelay      = 24
	pResponses      = 25
	pResponseInfo   = 26
	pReason         = 31
	pReceiveMaximum = 33
	pAliasMaximum   = 34
	pAlias          = 35
	pUser           = 38
	pMaximumPacket  = 39
)

// props is a list of properties with its length, and nothing before MQTT 5.
func (c *client) props(list ...[]byte) []byte {
	if c.v < 5 {
		return nil
	}
	all := join(list...)
	return join(varint(len(all)), all)
}

// Flags of CONNECT.
const (
	clean      = 0x02
	withWill   = 0x04
	willRetain = 0x20
	password   = 0x40
	user       = 0x80
)

// session is what CONNECT says.
type session struct {
	id        string
	flags     byte
	keepAlive uint16
	props     [][]byte
	payload   []byte // what comes after the client identifier
}

func (c *client) connectPacket(s session) []byte {
	return pack(tCONNECT, text("MQTT"), raw(c.v, s.flags), u16(s.keepAlive), c.props(s.props...), text(s.id), s.payload)
}

// connect expects CONNACK 0 and returns its flags and the rest.
func (c *client) connect(s session) packet {
	c.Helper()
	c.write(c.connectPacket(s))
	p := c.want(tCONNACK)
	if len(p.body) < 2 || p.body[1] != 0 {
		c.Fatalf("CONNACK % x", p.body)
	}
	return p
}

// kept is a session that outlives its connection, in either version.
func (c *client) kept(id string) session {
	s := session{id: id}
	if c.v >= 5 {
		s.props = [][]byte{prop32(pSessionExpiry, 3600)}
	}
	return s
}

// willPayload are the fields of a will.
func (c *client) willPayload(topic, payload string, list ...[]byte) []byte {
	return join(c.props(list...), text(topic), text(payload))
}

func (c *client) disconnect(reason byte, list ...[]byte) []byte {
	if c.v < 5 || reason == 0 && len(list) == 0 {
		return pack(tDISCONNECT)
	}
	return pack(tDISCONNECT, raw(reason), c.props(list...))
}

// message is an application message as it travels.
type message struct {
	topic, payload string
	qos            byte
	id             uint16
	retain, dup    bool
	props          []byte // without their length
}

func (c *client) publishPacket(m message, list ...[]byte) []byte {
	first := byte(tPUBLISH) | m.qos<<1
	if m.retain {
		first |= 1
	}
	if m.dup {
		first |= 8
	}
	id := u16(m.id)
	if m.qos == 0 {
		id = nil
	}
	return pack(first, text(m.topic), id, c.props(list...), []byte(m.payload))
}

// publish sends a message and sees it through: no acknowledgement is owed then.
func (c *client) publish(m message, list ...[]byte) {
	c.Helper()
	if m.qos > 0 && m.id == 0 {
		m.id = 1
	}
	c.write(c.publishPacket(m, list...))
	switch m.qos {
	case 0:
		c.sync()
	case 1:
		c.wantAck(tPUBACK, m.id, 0)
	case 2:
		c.wantAck(tPUBREC, m.id, 0)
		c.write(ack(tPUBREL, m.id))
		c.wantAck(tPUBCOMP, m.id, 0)
	}
}

// wantAck expects an acknowledgement; before MQTT 5 it has no reason.
func (c *client) wantAck(kind byte, id uint16, reason byte) {
	c.Helper()
	p := c.want(kind)
	got := byte(0)
	if len(p.body) > 2 {
		got = p.body[2]
	}
	if p.first != kind || binary.BigEndian.Uint16(p.body) != id || got != reason || c.v < 5 && len(p.body) != 2 {
		c.Fatalf("got 0x%02x % x, want 0x%02x for %d, reason 0x%02x", p.first, p.body, kind, id, reason)
	}
}

// read returns the next message, which is left without acknowledgement.
func (c *client) read() message {
	c.Helper()
	p := c.want(tPUBLISH)
	m := message{qos: p.first >> 1 & 3, retain: p.first&1 != 0, dup: p.first&8 != 0}
	n := int(binary.BigEndian.Uint16(p.body))
	m.topic, p.body = string(p.body[2:2+n]), p.body[2+n:]
	if m.qos > 0 {
		m.id, p.body = binary.BigEndian.Uint16(p.body), p.body[2:]
	}
	if c.v >= 5 {
		n, size := binary.Uvarint(p.body)
		m.props, p.body = p.body[size:size+int(n)], p.body[size+int(n):]
	}
	m.payload = string(p.body)
	return m
}

// take reads a message and acknowledges it; the end of QoS 2 is up to next.
func (c *client) take() message {
	c.Helper()
	m := c.read()
	switch m.qos {
	case 1:
		c.write(ack(tPUBACK, m.id))
	case 2:
		c.received[m.id] = true
		c.write(ack(tPUBREC, m.id))
	}
	return m
}

// wantMessage expects a message and takes it.
func (c *client) wantMessage(topic, payload string) message {
	c.Helper()
	m := c.take()
	if m.topic != topic || m.payload != payload {
		c.Fatalf("got %q %q, want %q %q", m.topic, m.payload, topic, payload)
	}
	return m
}

func (m message) has(property []byte) bool { return bytes.Contains(m.props, property) }

// subscription is a filter and its options, which are just the QoS before MQTT 5.
func subscription(filter string, options byte) []byte { return join(text(filter), raw(options)) }

func (c *client) subscribePacket(id uint16, list []byte, subscriptions ...[]byte) []byte {
	return pack(tSUBSCRIBE, u16(id), c.props(list), join(subscriptions...))
}

// subscribe expects SUBACK and returns the codes. Retained messages may have come
// before it only if the broker is wrong.
func (c *client) subscribe(subscriptions ...[]byte) []byte {
	c.Helper()
	return c.subscribeAs(nil, subscriptions...)
}

func (c *client) subscribeAs(property []byte, subscriptions ...[]byte) []byte {
	c.Helper()
	c.write(c.subscribePacket(7, property, subscriptions...))
	return c.codes(tSUBACK, 7)
}

// codes expects SUBACK or UNSUBACK and returns what it holds for each filter.
func (c *client) codes(kind byte, id uint16) []byte {
	c.Helper()
	p := c.want(kind)
	if binary.BigEndian.Uint16(p.body) != id {
		c.Fatalf("0x%02x for %d, want %d", kind, binary.BigEndian.Uint16(p.body), id)
	}
	p.body = p.body[2:]
	if c.v >= 5 {
		n, size := binary.Uvarint(p.body)
		p.body = p.body[size+int(n):]
	}
	return p.body
}

func (c *client) unsubscribe(filters ...string) []byte {
	c.Helper()
	var all []byte
	for _, f := range filters {
		all = append(all, text(f)...)
	}
	c.write(pack(tUNSUBSCRIBE, u16(9), c.props(), all))
	return c.codes(tUNSUBACK, 9)
}
