package envelope

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"

	"sluice/broker/topic"
)

// Open returns what a payload holds; it shares nothing with b. Errors are
// ErrVersion and ErrDamaged, with what is wrong.
func Open(b []byte) (*Envelope, error) {
	switch {
	case len(b) < headSize || string(b[:len(magic)]) != magic:
		return nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	case b[len(magic)] != version:
		return nil, fmt.Errorf("%w: %d", ErrVersion, b[len(magic)])
	case binary.LittleEndian.Uint32(b[crcAt:]) != checksum(b[epochAt:]):
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	e := &Envelope{Epoch: binary.LittleEndian.Uint64(b[epochAt:])}
	r := reader{rest: b[headSize:]}
	e.Gateway, e.Bridge, e.Lane = string(r.short()), string(r.short()), string(r.short())
	e.First = r.number()
	count, size := r.number(), r.number()
	if r.bad || count > MaxMessages || size > MaxBody {
		return nil, fmt.Errorf("%w: head makes no sense", ErrDamaged)
	}
	body, err := inflate(b[codingAt], r.rest, int(size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if e.Messages, err = messages(body, int(count)); err == nil {
		err = e.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return e, nil
}

// inflate returns the body of exactly size bytes that all of b stands for.
func inflate(coding byte, b []byte, size int) ([]byte, error) {
	switch coding {
	case stored:
		if len(b) != size {
			return nil, fmt.Errorf("%d bytes of messages, not %d", len(b), size)
		}
		return b, nil
	case deflated:
	default:
		return nil, fmt.Errorf("coding %d is not known", coding)
	}
	in := bytes.NewReader(b)
	body, err := io.ReadAll(io.LimitReader(flate.NewReader(in), int64(size)+1))
	if err == nil && (len(body) != size || in.Len() > 0) {
		err = fmt.Errorf("messages are not of %d bytes", size)
	}
	return body, err
}

func messages(body []byte, count int) ([]topic.Message, error) {
	r := reader{rest: body}
	all, sizes := make([]topic.Message, 0, count), make([]uint64, 0, count)
	for range count {
		flags := r.take(1)
		m := topic.Message{Topic: string(r.take(r.number()))}
		size := r.number()
		if r.bad || flags[0] > flagRetain {
			return nil, fmt.Errorf("message %d of %d makes no sense", len(all)+1, count)
		}
		m.Retain = flags[0] == flagRetain
		if err := topic.CheckName(m.Topic); err != nil {
			return nil, fmt.Errorf("message %d of %d: %w", len(all)+1, count, err)
		}
		all, sizes = append(all, m), append(sizes, size)
	}
	for i, size := range sizes {
		all[i].Payload = bytes.Clone(r.take(size))
	}
	if r.bad || len(r.rest) > 0 {
		return nil, fmt.Errorf("the payloads of %d messages are not of the length that they should be", count)
	}
	return all, nil
}

// reader takes fields off the beginning. Once one is not whole it is bad, and all
// further ones are empty.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// short returns a string with its length in one byte.
func (r *reader) short() []byte {
	n := r.take(1)
	if r.bad {
		return nil
	}
	return r.take(uint64(n[0]))
}
