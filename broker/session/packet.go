package session

import (
	"encoding/binary"
	"time"
)

// packetBytes of room are kept to encode in.
const packetBytes = 16 << 10

// Packet types and flags [MQTT 5.0 section 2.1], properties [section 2.2.2.2].
const (
	typePublish = 0x30
	typePubrel  = 0x62
	flagDup     = 0x08
	flagRetain  = 0x01

	propertyExpiry     = 0x02
	propertyIdentifier = 0x0b
)

// append adds the PUBLISH packet of e to b.
func (e entry) append(b []byte, version byte, dup bool) []byte {
	m := e.message
	properties, own := 0, 0
	if version >= 5 {
		own = e.ownProperties()
		properties = varintLen(own+len(m.Properties)) + own + len(m.Properties)
	}
	first := byte(typePublish) | e.QoS<<1
	if dup {
		first |= flagDup
	}
	if e.Retain {
		first |= flagRetain
	}
	length := 2 + len(m.Topic) + properties + len(m.Payload)
	if e.QoS > 0 {
		length += 2
	}
	b = append(b, first)
	b = appendVarint(b, length)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.Topic)))
	b = append(b, m.Topic...)
	if e.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, e.identifier())
	}
	if version >= 5 {
		b = appendVarint(b, own+len(m.Properties))
		b = e.appendOwn(b)
		b = append(b, m.Properties...)
	}
	return append(b, m.Payload...)
}

// ownProperties is the length of those that each receiver gets for itself.
func (e entry) ownProperties() int {
	n := 0
	if !e.message.Expires.IsZero() {
		n += 5
	}
	for _, id := range e.Identifiers {
		n += 1 + varintLen(int(id))
	}
	return n
}

func (e entry) appendOwn(b []byte) []byte {
	if x := e.message.Expires; !x.IsZero() { // what is left of it [MQTT-3.3.2-6]
		left := max(time.Until(x).Round(time.Second)/time.Second, 1)
		b = append(b, propertyExpiry)
		b = binary.BigEndian.AppendUint32(b, uint32(left))
	}
	for _, id := range e.Identifiers {
		b = append(b, propertyIdentifier)
		b = appendVarint(b, int(id))
	}
	return b
}

func appendPubrel(b []byte, id uint16) []byte {
	return append(b, typePubrel, 2, byte(id>>8), byte(id))
}

// appendVarint adds a variable byte integer [MQTT 5.0 section 1.5.5].
func appendVarint(b []byte, n int) []byte {
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func varintLen(n int) int {
	length := 1
	for ; n >= 0x80; n >>= 7 {
		length++
	}
	return length
}
