package retain

import (
	"encoding/binary"
	"time"
)

// A record is
//
//	uvarint length of the topic, topic
//	u8      QoS; the upper bits are zero
//	varint  when it expires, milliseconds since 1970; 0: never
//	uvarint length of the properties, properties
//	payload, to the end
func appendRecord(b []byte, m Message) []byte {
	b = binary.AppendUvarint(b, uint64(len(m.Topic)))
	b = append(b, m.Topic...)
	b = append(b, m.QoS)
	expires := int64(0)
	if !m.Expires.IsZero() {
		expires = m.Expires.UnixMilli()
	}
	b = binary.AppendVarint(b, expires)
	b = binary.AppendUvarint(b, uint64(len(m.Properties)))
	b = append(b, m.Properties...)
	return append(b, m.Payload...)
}

// parseRecord returns a message that shares nothing with b.
func parseRecord(b []byte) (m Message, err error) {
	name, b, ok := cut(b)
	if !ok || len(name) == 0 || len(b) == 0 || b[0] > 2 {
		return Message{}, errRecord
	}
	m.Topic, m.QoS = string(name), b[0]
	ms, n := binary.Varint(b[1:])
	if n <= 0 {
		return Message{}, errRecord
	}
	if ms != 0 {
		m.Expires = time.UnixMilli(ms)
	}
	properties, payload, ok := cut(b[1+n:])
	if !ok {
		return Message{}, errRecord
	}
	m.Properties = append(m.Properties, properties...)
	m.Payload = append(m.Payload, payload...)
	return m, nil
}

// cut takes bytes with their length before them off b.
func cut(b []byte) (head, rest []byte, ok bool) {
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(length)], b[n+int(length):], true
}
