package modbus

import (
	"fmt"
	"time"
)

// Framing is how function and data are wrapped for the wire.
type Framing uint8

// The framings.
const (
	RTU   Framing = iota // unit, function, data, CRC; a frame ends by silence
	ASCII                // the same in hexadecimal digits between ':' and CR LF, with an LRC
	TCP                  // behind a header with a number, a length and the unit
)

// String returns the word that site files use.
func (f Framing) String() string {
	switch f {
	case RTU:
		return "rtu"
	case ASCII:
		return "ascii"
	case TCP:
		return "tcp"
	default:
		return fmt.Sprintf("framing %d", uint8(f))
	}
}

// Timing is what one device needs on the wire. The zero value of Gap and
// MinDelay is right for most.
type Timing struct {
	Timeout  time.Duration // from the end of the request to the first byte of the reply
	Gap      time.Duration // silence before a request, on top of the line's own
	MinDelay time.Duration // bytes sooner than this after the request are no reply
	NoCanary bool          // the unit misbehaves on function 8: never use it to settle a doubt
}

// Transport moves one request and its reply, both complete frames of its
// Framing. It does not keep the request. The reply has the shape the request asks for, or is an exception to
// it, and belongs to the caller; for a Broadcast it is nil, but with TCP, where
// unit 0 is the device itself. Errors are *Error with fault Medium, Silent or
// Frame. A Transport has one user at a time.
type Transport interface {
	Framing() Framing
	Exchange(adu []byte, t Timing) ([]byte, error)
}
