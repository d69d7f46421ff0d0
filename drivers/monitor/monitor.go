// Package monitor explains what others say on a Modbus line: it cuts the bytes
// that a listener receives into RTU or ASCII frames, pairs replies with requests
// and puts both into words. `sluice monitor` prints them. Adapters deliver bytes in
// lumps and late, so frames are told by their shape and checksum, not by the
// silence between them. The package opens no port and never sends.
package monitor

import (
	"slices"
	"time"

	"sluice/drivers/modbus"
)

const (
	maxFrame = 256 // bytes (Modbus over Serial Line V1.02, 2.5.1)
	// patience is how long after a request a frame may still be its reply.
	patience = time.Second
)

// Kind says what a frame is.
type Kind uint8

// The kinds.
const (
	Damaged Kind = iota // bytes in which no frame can be found
	Request
	Reply
)

// Frame is one frame, or what lay between two.
type Frame struct {
	Kind  Kind
	ADU   []byte        // as on the line
	Body  []byte        // unit, function and data; nil when it is damaged
	Start time.Time     // when its first character began, as far as the adapter tells
	Gap   time.Duration // silence since the end of the frame before; 0 for the first
	// Asked is the body of the request that a reply answers; nil when it was not
	// heard.
	Asked []byte
	// Unanswered is set where the request before this one got no reply.
	Unanswered bool
}

// Decoder cuts what is received into frames. It keeps at most one frame and what
// follows it in a lump.
type Decoder struct {
	line modbus.Line
	text bool // ASCII frames
	buf  []received
	junk []received     // before buf, certainly no frame
	last time.Time      // when the last byte that was handed out ended
	open []byte         // the request that waits for its reply, as an RTU frame
	till time.Time      // for so long
	out  []Frame        // of the call
	rtu  [maxFrame]byte // bytes of buf
}

// received is one byte and when it was on the line.
type received struct {
	value      byte
	start, end time.Time
}

// New returns a decoder for a line whose frames are RTU or ASCII.
func New(line modbus.Line, framing modbus.Framing) *Decoder {
	return &Decoder{line: line, text: framing == modbus.ASCII}
}

// Add takes bytes that a Read has returned at that time, and returns the frames
// that are now complete.
func (d *Decoder) Add(b []byte, at time.Time) []Frame {
	d.out = nil
	before := d.last
	for _, kept := range [][]received{d.junk, d.buf} {
		if n := len(kept); n > 0 {
			before = kept[n-1].end
		}
	}
	for i, value := range b {
		r := received{value, at.Add(-d.line.Chars(len(b) - i)), at.Add(-d.line.Chars(len(b) - i - 1))}
		if r.start.Before(before) {
			r.start = before
		}
		if r.end.Before(r.start) {
			r.end = r.start
		}
		before = r.end
		d.buf = append(d.buf, r)
		if len(d.buf) == maxFrame || d.text && value == '\n' {
			d.scan(false)
		}
	}
	d.scan(false)
	return d.out
}

// Silence tells that nothing has come for a while: what there is of a frame will
// not be completed. It returns the frames that can be made of it.
func (d *Decoder) Silence() []Frame {
	d.out = nil
	d.scan(true)
	d.discard()
	return d.out
}

// scan hands out the frames at the front of buf. stopped tells that an incomplete
// one stays so.
func (d *Decoder) scan(stopped bool) {
	for len(d.buf) > 0 {
		kind, size, body := d.frameAt(stopped)
		switch {
		case size > 0:
			d.discard()
			d.hand(kind, d.buf[:size], body)
			d.buf = d.buf[size:]
		case size < 0:
			return
		default:
			d.junk = append(d.junk, d.buf[0])
			d.buf = d.buf[1:]
			if len(d.junk) == maxFrame {
				d.discard()
			}
		}
	}
	d.buf = nil // frees what append has left behind
}

// frameAt returns the frame at the front of buf, its size and its body. The size
// is 0 when there is none, -1 when more has to come.
func (d *Decoder) frameAt(stopped bool) (Kind, int, []byte) {
	if d.text {
		return d.textAt(stopped)
	}
	b := d.rtu[:min(len(d.buf), maxFrame)]
	for i := range b {
		b[i] = d.buf[i].value
	}
	kind, size := d.classify(b)
	switch {
	case size > 0:
		return kind, size, b[:size-2]
	case size < 0 && stopped:
		return Damaged, 0, nil
	default:
		return Damaged, size, nil
	}
}

// classify looks for an RTU frame at the front of b; its size is as in frameAt.
func (d *Decoder) classify(b []byte) (Kind, int) {
	forms := [2]form{{Request, requestSize(b)}, {Reply, replySize(b)}}
	if d.answers(b) {
		forms[0], forms[1] = forms[1], forms[0]
	}
	waits := false
	for _, f := range forms {
		switch {
		case f.size == 0 || f.size > maxFrame:
		case f.size > len(b):
			waits = true
		case modbus.ValidCRC(b[:f.size]):
			return f.kind, f.size
		}
	}
	if waits {
		return Damaged, -1
	}
	return Damaged, 0
}

// form is a frame that bytes may be the start of.
type form struct {
	kind Kind
	size int // 0: none
}

// answers reports whether b may begin the reply that is waited for. A master
// that repeats the write of one register within a second looks like its reply.
func (d *Decoder) answers(b []byte) bool {
	if len(b) < 3 || !d.matches(b, d.buf[0].start) {
		return false
	}
	want, known := replyCount(d.open)
	switch {
	case b[1]&exceptionBit != 0:
		return true
	case known:
		return int(b[2]) == want
	}
	head := min(len(b), repeated(d.open))
	return string(b[:head]) == string(d.open[:head])
}

// hand gives out a frame.
func (d *Decoder) hand(kind Kind, bytes []received, body []byte) {
	f := Frame{Kind: kind, Start: bytes[0].start, ADU: values(bytes), Body: slices.Clone(body)}
	if !d.last.IsZero() {
		f.Gap = f.Start.Sub(d.last)
	}
	d.last = bytes[len(bytes)-1].end
	switch {
	case kind == Reply && d.matches(body, f.Start):
		f.Asked, d.open = d.open[:len(d.open)-2], nil
	case kind == Request:
		f.Unanswered, d.open = len(d.open) > 0, nil
		if body[0] != byte(modbus.Broadcast) {
			d.open, d.till = modbus.AppendCRC(slices.Clone(body)), d.last.Add(patience)
		}
	}
	d.out = append(d.out, f)
}

// matches reports whether a frame that begins so is from the unit and of the
// function that is waited for.
func (d *Decoder) matches(b []byte, start time.Time) bool {
	return len(d.open) > 0 && b[0] == d.open[0] && b[1]&^exceptionBit == d.open[1] && !start.After(d.till)
}

// discard hands out what is in no frame of a known shape: frames of functions
// that nobody described, told by their checksum, and the rest as damaged.
func (d *Decoder) discard() {
	for len(d.junk) > 0 {
		kind, size, body := Damaged, len(d.junk), []byte(nil)
		if b := values(d.junk); !d.text {
			if n := foreignSize(b); n > 0 {
				kind, size, body = d.foreign(b, d.junk[0].start), n, b[:n-2]
			}
		}
		d.hand(kind, d.junk[:size], body)
		d.junk = d.junk[size:]
	}
	d.junk = nil
}

// foreign tells a reply from a request where nobody described the function.
func (d *Decoder) foreign(b []byte, start time.Time) Kind {
	if d.matches(b, start) {
		return Reply
	}
	return Request
}

func values(bytes []received) []byte {
	b := make([]byte, len(bytes))
	for i, r := range bytes {
		b[i] = r.value
	}
	return b
}

// foreignSize returns the length of the frame of an unknown function at the front
// of b, or 0.
func foreignSize(b []byte) int {
	if len(b) < 4 || requestSize(b) > 0 || replySize(b) > 0 {
		return 0
	}
	for n := 4; n <= len(b); n++ {
		if modbus.ValidCRC(b[:n]) {
			return n
		}
	}
	return 0
}
