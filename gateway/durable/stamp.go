package durable

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// stamp is what segment headers and cursor slots have in common.
type stamp struct {
	words   [3]uint64
	time    millis // when it was written
	account account
}

func (s stamp) encode(magic string) []byte {
	b := make([]byte, stampSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], version)
	for i, w := range s.words {
		binary.LittleEndian.PutUint64(b[16+8*i:], w)
	}
	binary.LittleEndian.PutUint64(b[40:], uint64(s.time))
	s.account.put(b[48:])
	sealStamp(b)
	return b
}

// sealStamp fills in the CRCs: of the core, by which every version tells damage
// from a version it does not know, and of the whole.
func sealStamp(b []byte) {
	binary.LittleEndian.PutUint32(b[12:], coreCRC(b))
	binary.LittleEndian.PutUint32(b[stampSize-4:], stampCRC(b))
}

func parseStamp(b []byte, magic string) (stamp, error) {
	var s stamp
	if len(b) < stampSize || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[12:]) != coreCRC(b) {
		return s, errDamaged
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return s, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	if binary.LittleEndian.Uint32(b[stampSize-4:]) != stampCRC(b) {
		return s, errDamaged
	}
	for i := range s.words {
		s.words[i] = binary.LittleEndian.Uint64(b[16+8*i:])
	}
	s.time, s.account = millis(binary.LittleEndian.Uint64(b[40:])), parseAccount(b[48:])
	if !s.account.valid() {
		return s, errDamaged
	}
	return s, nil
}

func coreCRC(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, b[16:stampCore])
}

func stampCRC(b []byte) uint32 { return crc32.Checksum(b[:stampSize-4], castagnoli) }
