package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// cursor reads the fields of a packet. Once it has failed it reads zeros.
type cursor struct {
	rest    []byte
	version byte
	most    int // the maximum packet size in CONNECT
	fault   *Fault
}

func (c *cursor) fail(reason byte, text string) {
	if c.fault == nil {
		c.fault = &Fault{Reason: reason, Text: text}
	}
	c.rest = nil
}

// failIf is fail, if something is wrong.
func (c *cursor) failIf(wrong bool, reason byte, text string) {
	if wrong {
		c.fail(reason, text)
	}
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.fail(Malformed, "a field ends behind the packet")
		return nil
	}
	field := c.rest[:n]
	c.rest = c.rest[n:]
	return field
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint reads a variable byte integer [MQTT 5.0 section 1.5.5].
func (c *cursor) varint() int {
	n := 0
	for i := range 4 {
		b := c.u8()
		n |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n
		}
	}
	c.fail(Malformed, "a variable byte integer has more than four bytes")
	return 0
}

func (c *cursor) binary() []byte { return c.take(int(c.u16())) }

// text reads a string, which must be UTF-8 without U+0000 [MQTT-1.5.4-1]
// [MQTT-1.5.4-2].
func (c *cursor) text() []byte {
	s := c.binary()
	c.failIf(!utf8.Valid(s) || bytes.IndexByte(s, 0) >= 0, Malformed, "a string is not UTF-8 or holds U+0000")
	return s
}

// identifier reads a packet identifier [MQTT-2.2.1-3].
func (c *cursor) identifier() {
	c.failIf(c.u16() == 0, Violation, "the packet identifier is zero")
}

// filter reads a topic filter. Whether it is a good one is answered in SUBACK.
func (c *cursor) filter() []byte { return c.text() }
