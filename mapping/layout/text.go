package layout

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sluice/mapping/point"
)

// text reads characters.
func (l Layout) text(b []byte) (point.Value, error) {
	var buf [2 * MaxWords]byte
	text := l.characters(buf[:0], b)
	if end := slices.IndexFunc(text, func(c byte) bool { return c == 0 || c == 0xFF }); end >= 0 {
		text = text[:end]
	}
	text = bytes.TrimSpace(text)
	if l.named && len(text) == 0 {
		return point.Value{}, errNotAvailable
	}
	return point.TextValue(strings.ToValidUTF8(string(text), "\uFFFD")), nil
}

// characters appends those of the registers in b.
func (l Layout) characters(dst, b []byte) []byte {
	for i := 0; i < len(b); i += 2 {
		word := l.word(b[i:]) >> l.shape.shift
		if l.shape.width == 16 {
			dst = append(dst, byte(word>>8))
		}
		dst = append(dst, byte(word))
	}
	return dst
}

// room is how many characters or bytes there are in the registers.
func (l Layout) room() int { return l.Words() * int(l.shape.width) / 8 }

func (l Layout) setText(b []byte, v point.Value) error {
	s := v.Text()
	switch {
	case v.Kind() != point.Text:
		return fmt.Errorf("%v is not a text", v)
	case len(s) > l.room():
		return fmt.Errorf("%q has %d bytes, there is room for %d", s, len(s), l.room())
	case strings.ContainsRune(s, 0):
		return fmt.Errorf("%q holds a NUL, which would end it", s)
	}
	l.setCharacters(b, s)
	return nil
}

// setCharacters is the inverse of characters. The other byte of a register with
// one character stays as it is.
func (l Layout) setCharacters(b []byte, s string) {
	next := func() uint16 {
		if s == "" {
			return uint16(l.padding)
		}
		c := s[0]
		s = s[1:]
		return uint16(c)
	}
	for i := 0; i < len(b); i += 2 {
		word := next()
		if l.shape.width == 16 {
			word = word<<8 | next()
		}
		mask := uint16(l.mask() << l.shape.shift)
		l.setWord(b[i:], l.word(b[i:])&^mask|word<<l.shape.shift)
	}
}

// hex writes bytes in digits.
func (l Layout) hex(b []byte) point.Value {
	var raw [2 * MaxWords]byte
	return point.TextValue(hex.EncodeToString(l.characters(raw[:0], b)))
}

func (l Layout) setHex(b []byte, v point.Value) error {
	raw, err := hex.DecodeString(v.Text())
	if v.Kind() != point.Text || err != nil || len(raw) != len(b) {
		return fmt.Errorf("%q is not %d bytes in hexadecimal digits", v.String(), len(b))
	}
	l.setCharacters(b, string(raw))
	return nil
}

func (l Layout) setWord(b []byte, w uint16) {
	if l.order&swapBytes != 0 {
		binary.LittleEndian.PutUint16(b, w)
		return
	}
	binary.BigEndian.PutUint16(b, w)
}
