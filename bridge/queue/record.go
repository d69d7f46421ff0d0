package queue

import (
	"encoding/binary"
	"errors"
	"time"

	"sluice/broker/topic"
)

// A record is
//
//	uvarint length of the topic, topic
//	u8      flags: bits 0-1 QoS, bit 2 retain, the others zero
//	varint  time received, milliseconds since 1970
//	payload, to the end
const (
	flagQoS    = 0b011
	flagRetain = 0b100

	maxOverhead = 3 + 1 + binary.MaxVarintLen64
)

var errRecord = errors.New("not a message record of this version")

func appendRecord(b []byte, m topic.Message, at time.Time) []byte {
	flags := m.QoS & flagQoS
	if m.Retain {
		flags |= flagRetain
	}
	b = binary.AppendUvarint(b, uint64(len(m.Topic)))
	b = append(b, m.Topic...)
	b = append(b, flags)
	b = binary.AppendVarint(b, at.UnixMilli())
	return append(b, m.Payload...)
}

// parseRecord returns a message that shares nothing with b.
func parseRecord(b []byte) (topic.Message, time.Time, error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > topic.MaxBytes || n >= uint64(len(b)-k) {
		return topic.Message{}, time.Time{}, errRecord
	}
	name, b := string(b[k:k+int(n)]), b[k+int(n):]
	flags := b[0]
	ms, k := binary.Varint(b[1:])
	if k <= 0 || flags > flagQoS|flagRetain || flags&flagQoS > 2 {
		return topic.Message{}, time.Time{}, errRecord
	}
	m := topic.Message{Topic: name, QoS: flags & flagQoS, Retain: flags&flagRetain != 0}
	m.Payload = append(m.Payload, b[1+k:]...)
	return m, time.UnixMilli(ms), nil
}
