// Package transcript is the text form of what was said on a bus, and when: one
// line an entry, with the microseconds of silence before it. FORMAT.md describes
// it. Tools record it and answer from it, and tests compare it with what they
// expect. The package knows bytes and times, not what they mean.
package transcript

import (
	"time"

	"sluice/drivers/modbus"
)

// Kind says what an entry is, by the character that stands for it.
type Kind byte

// The kinds.
const (
	Request Kind = '>' // a frame of the master
	Reply   Kind = '<' // a frame of a unit
	Noise   Kind = '?' // bytes that are no whole frame, or of nobody knows whom
	Nothing Kind = '-' // nothing came for as long as the gap
	Event   Kind = '!' // what happened to the port, in the note
)

// Entry is one line: what came after how much silence.
type Entry struct {
	// Gap is from the end of the entry before to the start of this one, in whole
	// microseconds. Nothing lasts as long as its gap; an event takes no time.
	Gap   time.Duration
	Kind  Kind
	Bytes []byte // none of Nothing and Event
	Note  string // one line; for people
}

// Header says what kind of bus it was.
type Header struct {
	Framing modbus.Framing
	Line    modbus.Line // the zero value where it is not known
	Start   time.Time   // of the first entry; zero where it does not matter
}

// Transcript is a whole file.
type Transcript struct {
	Header
	Entries []Entry
}
