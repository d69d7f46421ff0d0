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
//	u8      flags: bits 0-1 QoS, bit 2 retain, bit 3 there is an epoch, the others zero
//	varint  time received, milliseconds since 1970
//	u64     epoch, little endian, if there is one
//	payload, to the end
const (
	flagQoS    = 0b011
	flagRetain = 0b100
	flagEpoch  = 0b1000

	epochSize   = 8
	maxOverhead = 3 + 1 + binary.MaxVarintLen64 + epochSize
)

var errRecord = errors.New("not a message record of this version")

func appendRecord(b []byte, m topic.Message, at time.Time, epoch uint64) []byte {
	flags := m.QoS & flagQoS
	if m.Retain {
		flags |= flagRetain
	}
	if epoch != 0 {
		flags |= flagEpoch
	}
	b = binary.AppendUvarint(b, uint64(len(m.Topic)))
	b = append(b, m.Topic...)
	b = append(b, flags)
	b = binary.AppendVarint(b, at.UnixMilli())
	if epoch != 0 {
		b = binary.LittleEndian.AppendUint64(b, epoch)
	}
	return append(b, m.Payload...)
}

// parseRecord returns a message, without its number, that shares nothing with b.
func parseRecord(b []byte) (Record, error) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > topic.MaxBytes || n >= uint64(len(b)-k) {
		return Record{}, errRecord
	}
	name, b := string(b[k:k+int(n)]), b[k+int(n):]
	flags := b[0]
	ms, k := binary.Varint(b[1:])
	if k <= 0 || flags > flagQoS|flagRetain|flagEpoch || flags&flagQoS > 2 {
		return Record{}, errRecord
	}
	b = b[1+k:]
	r := Record{Message: topic.Message{Topic: name, QoS: flags & flagQoS, Retain: flags&flagRetain != 0}, At: time.UnixMilli(ms)}
	if flags&flagEpoch != 0 {
		if len(b) < epochSize {
			return Record{}, errRecord
		}
		r.Epoch, b = binary.LittleEndian.Uint64(b), b[epochSize:]
	}
	r.Message.Payload = append(r.Message.Payload, b...)
	return r, nil
}
