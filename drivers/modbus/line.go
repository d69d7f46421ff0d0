package modbus

import (
	"fmt"
	"time"
)

// Parity of a serial character.
type Parity byte

// The parities, by their letter in a format such as 8E1.
const (
	NoParity    Parity = 'N'
	EvenParity  Parity = 'E'
	OddParity   Parity = 'O'
	MarkParity  Parity = 'M'
	SpaceParity Parity = 'S'
)

// Line is how characters travel on a serial bus. Every wire time in the gateway
// and in the simulator is computed from it.
type Line struct {
	Baud     int // bits per second, 1 or more
	DataBits int // 7 or 8; RTU needs 8
	Parity   Parity
	StopBits int // 1 or 2
}

// ParseFormat reads data bits, parity and stop bits as technicians write them:
// "8E1", "8N1", "7O2".
func ParseFormat(s string) (dataBits int, parity Parity, stopBits int, err error) {
	if len(s) != 3 || s[0] < '7' || s[0] > '8' || s[2] < '1' || s[2] > '2' {
		return 0, 0, 0, fmt.Errorf("%q is not a serial format such as 8E1, 8N1, 8O1 or 8N2", s)
	}
	switch p := Parity(s[1] &^ 0x20); p {
	case NoParity, EvenParity, OddParity, MarkParity, SpaceParity:
		return int(s[0] - '0'), p, int(s[2] - '0'), nil
	}
	return 0, 0, 0, fmt.Errorf("%q: parity is one of N, E, O, M, S", s)
}

// String returns the line as technicians write it: "9600 8E1".
func (l Line) String() string {
	return fmt.Sprintf("%d %d%c%d", l.Baud, l.DataBits, l.Parity, l.StopBits)
}

// BitsPerChar is the length of one character on the wire: start bit, data bits,
// parity bit and stop bits.
func (l Line) BitsPerChar() int {
	n := 1 + l.DataBits + l.StopBits
	if l.Parity != NoParity {
		n++
	}
	return n
}

// Chars is the time that n characters take on the wire.
func (l Line) Chars(n int) time.Duration {
	return time.Duration(int64(n) * int64(l.BitsPerChar()) * int64(time.Second) / int64(l.Baud))
}

// Silence is t3.5, the quiet time that ends a frame and must pass before the
// next one: 3.5 characters, and 1.75 ms above 19200 Bd (Modbus over Serial Line
// V1.02, 2.5.1.1).
func (l Line) Silence() time.Duration {
	if l.Baud > 19200 {
		return 1750 * time.Microsecond
	}
	return l.Chars(7) / 2
}
