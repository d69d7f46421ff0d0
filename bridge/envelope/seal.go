package envelope

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"sluice/broker/topic"
)

const (
	magic   = "SLE"
	version = 1

	crcAt    = 4
	epochAt  = 8
	codingAt = 16
	headSize = 17 // up to the names
)

// Codings of the body.
const (
	stored   = 0
	deflated = 1
)

const flagRetain = 1

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Sealer seals envelopes, one after the other. Its zero value is ready.
type Sealer struct {
	body     []byte
	packed   bytes.Buffer
	deflater *flate.Writer
}

// Seal returns the payload that holds e, which is the caller's. An error means
// that e is beyond the bounds.
func (s *Sealer) Seal(e *Envelope) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("seal envelope: %w", err)
	}
	s.body = s.body[:0]
	for _, m := range e.Messages {
		s.body = appendHead(s.body, m)
	}
	for _, m := range e.Messages {
		s.body = append(s.body, m.Payload...)
	}
	if len(s.body) > MaxBody {
		return nil, fmt.Errorf("seal envelope: %d bytes of messages, at most %d", len(s.body), MaxBody)
	}
	coding, body := byte(deflated), s.deflate()
	if len(body) >= len(s.body) {
		coding, body = stored, s.body
	}
	b := make([]byte, headSize, headSize+3*(1+MaxName)+3*binary.MaxVarintLen64+len(body))
	copy(b, magic)
	b[len(magic)] = version
	binary.LittleEndian.PutUint64(b[epochAt:], e.Epoch)
	b[codingAt] = coding
	for _, name := range e.names() {
		b = append(append(b, byte(len(name))), name...)
	}
	b = binary.AppendUvarint(b, e.First)
	b = binary.AppendUvarint(b, uint64(len(e.Messages)))
	b = binary.AppendUvarint(b, uint64(len(s.body)))
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[epochAt:]))
	return b, nil
}

// Size is how many bytes m takes in the body.
func Size(m topic.Message) int {
	return 1 + uvarintSize(len(m.Topic)) + len(m.Topic) + uvarintSize(len(m.Payload)) + len(m.Payload)
}

func uvarintSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func appendHead(b []byte, m topic.Message) []byte {
	flags := byte(0)
	if m.Retain {
		flags = flagRetain
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(m.Topic)))
	b = append(b, m.Topic...)
	return binary.AppendUvarint(b, uint64(len(m.Payload)))
}

// deflate compresses the body. Writing to memory cannot fail.
func (s *Sealer) deflate() []byte {
	s.packed.Reset()
	if s.deflater == nil {
		s.deflater, _ = flate.NewWriter(&s.packed, flate.BestCompression)
	} else {
		s.deflater.Reset(&s.packed)
	}
	s.deflater.Write(s.body)
	s.deflater.Close()
	return s.packed.Bytes()
}
