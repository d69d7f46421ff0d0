package modbus

import (
	"errors"
	"fmt"
)

// Fault says why an exchange failed, by what the caller should do about it.
type Fault uint8

// The faults.
const (
	None        Fault = iota
	Medium            // the port is down: no unit of the bus can be reached; reopen it
	Silent            // the unit did not answer: try again later, serve the others
	Frame             // something came, but not the reply: noise or collision; try again
	Refused           // the unit will not do this: repeating the request is no use
	Busy              // not now: the same request may work later
	Unsupported       // the unit does not know the function: never ask for it again
)

// String returns the word used in logs, payloads and metrics.
func (f Fault) String() string {
	switch f {
	case None:
		return "none"
	case Medium:
		return "medium"
	case Silent:
		return "silent"
	case Frame:
		return "frame"
	case Refused:
		return "refused"
	case Busy:
		return "busy"
	case Unsupported:
		return "unsupported"
	default:
		return fmt.Sprintf("fault %d", uint8(f))
	}
}

// Error is a failed exchange.
type Error struct {
	Fault     Fault
	Unit      UnitID
	Exception byte  // exception code of the reply; 0 when there was none
	Err       error // the cause; nil for an exception
}

// Error names the unit, the fault and its cause.
func (e *Error) Error() string {
	switch {
	case e.Exception != 0:
		return fmt.Sprintf("unit %d: %v: exception %d (%s)", e.Unit, e.Fault, e.Exception, ExceptionName(e.Exception))
	case e.Err == nil:
		return fmt.Sprintf("unit %d: %v", e.Unit, e.Fault)
	default:
		return fmt.Sprintf("unit %d: %v: %v", e.Unit, e.Fault, e.Err)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrNotSent is in the chain of an error after which it is known that the request
// has not gone out, and will not.
var ErrNotSent = errors.New("the request was not sent")

// NotSent returns err with ErrNotSent in its chain, and the same words.
func NotSent(err error) error { return notSent{err} }

type notSent struct{ error }

func (e notSent) Is(target error) bool { return target == ErrNotSent }

func (e notSent) Unwrap() error { return e.error }

// FaultOf returns the fault of the first *Error in err's chain. It is None for
// nil and for errors that are not about an exchange, such as a cancelled wait.
func FaultOf(err error) Fault {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Fault
	}
	return None
}

// Reason says in a few words why there is no value, for the payload of a bad one.
func Reason(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.Exception != 0:
		return fmt.Sprintf("exception %d", e.Exception)
	case e.Fault == Silent:
		return "timeout"
	case e.Fault == Frame:
		return "damaged reply"
	case e.Fault == Busy:
		return "bus busy"
	case e.Fault == Refused:
		return "request refused"
	default:
		return "port down"
	}
}

// faultOfException sorts the exception codes of Modbus Application Protocol
// V1.1b3, section 7. Both gateway exceptions mean that one unit behind a gateway
// is out of reach. They are not Medium, which would close a port that works.
func faultOfException(code byte) Fault {
	switch code {
	case 1:
		return Unsupported
	case 5, 6:
		return Busy
	case 10, 11:
		return Silent
	default:
		return Refused
	}
}

// Remedy says what whoever configured a request can do about the exception that it
// was answered with.
func Remedy(code byte) string {
	switch code {
	case 1:
		return "the device does not know this function: try the other table, input or holding"
	case 2:
		return "the device has no such register: manuals count from 0 or from 1, so try the neighbours"
	case 3:
		return "the device does not take this value, or not so many registers at once"
	default:
		return "the device is there and knows the request; its manual may know why it refuses"
	}
}

// ExceptionName returns the specification's name of an exception code, in lower
// case.
func ExceptionName(code byte) string {
	switch code {
	case 1:
		return "illegal function"
	case 2:
		return "illegal data address"
	case 3:
		return "illegal data value"
	case 4:
		return "server device failure"
	case 5:
		return "acknowledge"
	case 6:
		return "server device busy"
	case 8:
		return "memory parity error"
	case 10:
		return "gateway path unavailable"
	case 11:
		return "gateway target device failed to respond"
	default:
		return "unknown"
	}
}
