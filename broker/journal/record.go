package journal

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Kinds of records, see FORMAT.md.
const (
	kindSession = iota + 1
	kindEnd
	kindSubscription
	kindUnsubscription
	kindMessage
	kindReceived
	kindFreed
	kindProgress
)

var errRecord = errors.New("not a record of a session in this version")

func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

// scanner takes a record apart. After the first thing that is not there it gives
// zeros.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) fail() { s.rest, s.bad = nil, true }

func (s *scanner) number() uint64 {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		s.fail()
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

// small returns a number up to most.
func (s *scanner) small(most uint64) uint64 {
	v := s.number()
	if v > most {
		s.fail()
		return 0
	}
	return v
}

// count returns how many things follow, of one byte at least.
func (s *scanner) count() int { return int(s.small(uint64(len(s.rest)))) }

func (s *scanner) bytes() []byte {
	n := s.count()
	if s.bad || n > len(s.rest) {
		s.fail()
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *scanner) time() time.Time {
	ms, n := binary.Varint(s.rest)
	if n <= 0 {
		s.fail()
		return time.Time{}
	}
	s.rest = s.rest[n:]
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (s *scanner) session() uint64 {
	n := s.number()
	if n == 0 {
		s.fail()
	}
	return n
}

func (s *scanner) packetID() uint16 {
	id := s.small(math.MaxUint16)
	if id == 0 {
		s.fail()
	}
	return uint16(id)
}

// end returns v if all was there and nothing is left.
func end[T any](s *scanner, v T) (T, error) {
	if s.bad || len(s.rest) > 0 {
		var none T
		return none, errRecord
	}
	return v, nil
}

func appendState(b []byte, number uint64, s State) []byte {
	b = binary.AppendUvarint(append(b, kindSession), number)
	b = appendString(appendString(b, s.ClientID), s.User)
	b = binary.AppendUvarint(b, uint64(s.Expiry/time.Second))
	b = appendTime(b, s.Since)
	if s.Will == nil {
		return append(b, 0)
	}
	w := s.Will
	b = appendTime(append(b, 1), w.Due)
	b = append(b, w.QoS|flag(w.Retain, copyRetain))
	b = binary.AppendUvarint(b, uint64(w.Life/time.Second))
	return appendString(appendString(appendString(b, w.Topic), w.Properties), w.Payload)
}

func flag(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

// parseState reads what follows the session's number.
func parseState(s *scanner) (State, error) {
	st := State{ClientID: string(s.bytes()), User: string(s.bytes())}
	st.Expiry = time.Duration(s.small(math.MaxUint32)) * time.Second
	st.Since = s.time()
	if s.small(1) == 1 {
		w := &Will{Due: s.time()}
		flags := s.small(copyRetain | 3)
		w.QoS, w.Retain = byte(flags&3), flags&copyRetain != 0
		w.Life = time.Duration(s.small(math.MaxUint32)) * time.Second
		w.Topic, w.Properties, w.Payload = string(s.bytes()), clone(s.bytes()), clone(s.bytes())
		st.Will = w
	}
	return end(s, st)
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func appendSubscription(b []byte, number uint64, filter string, sub Subscription) []byte {
	b = binary.AppendUvarint(append(b, kindSubscription), number)
	return binary.AppendUvarint(append(appendString(b, filter), sub.Options), uint64(sub.Identifier))
}

func parseSubscription(s *scanner) (filter string, sub Subscription, err error) {
	filter = string(s.bytes())
	if len(s.rest) == 0 {
		return "", sub, errRecord
	}
	sub.Options, s.rest = s.rest[0], s.rest[1:]
	sub.Identifier = uint32(s.small(math.MaxUint32))
	sub, err = end(s, sub)
	return filter, sub, err
}

const copyRetain = 4 // beside the QoS

// head is a message record without the message.
type head struct {
	number uint64
	from   uint64 // session of the publisher, 0: none
	id     uint16
	copies []copyOf
}

// copyOf is a copy with its session.
type copyOf struct {
	session uint64
	Copy
}

func (c Copy) append(b []byte, session uint64) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, session), c.Ordinal)
	b = append(b, c.QoS|flag(c.Retain, copyRetain))
	b = binary.AppendUvarint(b, uint64(len(c.Identifiers)))
	for _, id := range c.Identifiers {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

func (h head) append(b []byte) []byte {
	b = binary.AppendUvarint(append(b, kindMessage), h.number)
	b = binary.AppendUvarint(b, h.from)
	b = binary.AppendUvarint(b, uint64(h.id))
	b = binary.AppendUvarint(b, uint64(len(h.copies)))
	for _, c := range h.copies {
		b = c.Copy.append(b, c.session)
	}
	return b
}

// parseHead reads what follows the kind, up to the message.
func parseHead(s *scanner) (h head, ok bool) {
	h.number, h.from = s.session(), s.number()
	h.id = uint16(s.small(math.MaxUint16))
	n := s.count()
	for range n {
		c := copyOf{session: s.session(), Copy: Copy{Ordinal: s.session()}}
		flags := s.small(copyRetain | 2)
		c.QoS, c.Retain = byte(flags&3), flags&copyRetain != 0
		if c.QoS != 1 && c.QoS != 2 {
			s.fail()
		}
		for range s.count() {
			c.Identifiers = append(c.Identifiers, uint32(s.small(math.MaxUint32)))
		}
		if s.bad {
			return h, false
		}
		h.copies = append(h.copies, c)
	}
	return h, !s.bad
}

func appendMessage(b []byte, m *Message) []byte {
	b = appendTime(b, m.Expires)
	return append(appendString(appendString(b, m.Topic), m.Properties), m.Payload...)
}

// parseMessage returns a message that shares nothing with the record.
func parseMessage(s *scanner) (*Message, error) {
	m := &Message{Expires: s.time(), Topic: string(s.bytes()), Properties: clone(s.bytes())}
	if s.bad || m.Topic == "" {
		return nil, errRecord
	}
	m.Payload = clone(s.rest)
	return m, nil
}

// weigh returns the size and the expiry of a message.
func weigh(s *scanner) (size int, expires time.Time, err error) {
	expires = s.time()
	size = len(s.bytes()) + len(s.bytes())
	if s.bad {
		return 0, expires, errRecord
	}
	return size + len(s.rest), expires, nil
}

func appendIdentifier(kind byte, number uint64, id uint16) []byte {
	return binary.AppendUvarint(binary.AppendUvarint([]byte{kind}, number), uint64(id))
}

func (p *progress) append(b []byte, number uint64) []byte {
	b = binary.AppendUvarint(append(b, kindProgress), number)
	for _, v := range []uint64{p.last, p.sent, p.cursor, uint64(len(p.ahead))} {
		b = binary.AppendUvarint(b, v)
	}
	at := p.cursor
	for _, r := range p.ahead {
		b = binary.AppendUvarint(binary.AppendUvarint(b, r.from-at), r.to-r.from)
		at = r.to
	}
	b = binary.AppendUvarint(b, uint64(len(p.released)))
	at = 0
	for _, o := range p.released {
		b = binary.AppendUvarint(b, o-at)
		at = o
	}
	return b
}

func parseProgress(s *scanner) (p progress, err error) {
	const most = math.MaxInt64 // so that sums do not wrap
	p.last, p.sent, p.cursor = s.small(most), s.small(most), s.small(most)
	if p.cursor == 0 {
		return p, errRecord
	}
	at := p.cursor
	for range s.count() {
		r := span{from: at + s.small(most)}
		r.to = r.from + s.small(most)
		if s.bad || r.from == at || r.to <= r.from || r.to > most {
			return p, errRecord
		}
		p.ahead, at = append(p.ahead, r), r.to
	}
	at = 0
	for range s.count() {
		o := at + s.small(most)
		if s.bad || o <= at || o > most {
			return p, errRecord
		}
		p.released, at = append(p.released, o), o
	}
	return end(s, p)
}
