package modbus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrInDoubt is in the chain of an error by which a Transport says that it did
// not send the request: the unit may still answer an older one, and that reply
// could be taken for this one's. The request may be repeated later.
var ErrInDoubt = errors.New("may still answer an older request")

// Doubts is what the exchanges of one serial bus have left open. A reply carries
// neither the address asked for nor a number, so after an exchange without one
// the next reply of the same shape might be the old one, and a unit that keeps a
// request while it is busy would then be one behind for ever. The zero value is
// ready for use; it belongs to the Transport in use.
type Doubts struct {
	units [256]doubt
}

// doubt is what is known about one unit.
type doubt struct {
	until  time.Time // no older reply comes after this; zero when none is owed
	probed bool      // a canary was sent since, and not answered
	trust  int8      // in the canary, see trusted and hopeless
	never  bool      // a canary is not wanted
}

// Trust in the canary starts at 0. An answer raises it to trusted, and each
// canary in a row without one costs a point. It falls below zero only when the
// unit then answered an ordinary request, and so does not know function 8: at
// hopeless the unit is left alone with it.
const (
	trusted  = 3
	hopeless = -3
)

// minWindow is how long after a missed timeout a reply may still come.
const minWindow = time.Second

// Asked notes that a request is out at the time sent, and that its reply may come
// until well after the timeout.
func (d *Doubts) Asked(unit UnitID, sent time.Time, t Timing) {
	u := &d.units[unit]
	u.until, u.never = sent.Add(t.Timeout+max(minWindow, 3*t.Timeout)), t.NoCanary
}

// Answered notes the reply to an ordinary request.
func (d *Doubts) Answered(unit UnitID) {
	u := &d.units[unit]
	if u.probed && u.trust <= 0 {
		u.trust = max(u.trust-1, hopeless)
	}
	u.until, u.probed = time.Time{}, false
}

// NotBefore returns the time before which Settle would refuse a request to the
// unit; others can use the line until then. It is zero, or past, for most.
func (d *Doubts) NotBefore(unit UnitID) time.Time { return d.units[unit].notBefore() }

// Settle makes sure that no reply to an older request to the unit can be taken
// for one to the next. Where it helps it has ask exchange a canary, given as
// unit, function and data; a unit answers in order, so that with the canary back,
// or refused by an exception, nothing older can come. Where it does not, the
// error wraps ErrInDoubt, and NotBefore says when to come again. Any error means
// ErrNotSent.
func (d *Doubts) Settle(unit UnitID, ask func(canary []byte) error) error {
	u := &d.units[unit]
	switch {
	case u.over(time.Now()):
		return nil
	case !u.wantsCanary():
		return inDoubt(unit, u.until)
	}
	nonce, owed := uint16(rand.Uint32()), u.until
	err := ask([]byte{byte(unit), byte(Diagnostics), 0, 0, byte(nonce >> 8), byte(nonce)})
	switch {
	case err == nil:
		u.settled()
		return nil
	case FaultOf(err) == Medium, u.until.Equal(owed):
		return NotSent(err) // the canary was not sent either, or says nothing about the unit
	case u.canaryLost():
		return NotSent(err) // the unit is away, and the canary was the probe
	default:
		return inDoubt(unit, u.until)
	}
}

func inDoubt(unit UnitID, until time.Time) error {
	wait := time.Until(until).Round(time.Millisecond)
	return NotSent(&Error{Fault: Silent, Unit: unit, Err: fmt.Errorf("%w for %v", ErrInDoubt, wait)})
}

// settled notes that a canary came back.
func (u *doubt) settled() { *u = doubt{trust: trusted} }

// canaryLost notes that no answer came to a canary. It reports whether the unit
// used to answer them, and so is away rather than indifferent.
func (u *doubt) canaryLost() bool {
	if u.trust > 0 {
		u.trust--
		return true
	}
	u.probed = true
	return false
}

// over reports whether an ordinary request may be sent at once. A canary that may
// help goes first however long ago the failure was: it costs no more than the
// request while the unit is away, and assumes nothing about how late a reply is.
func (u *doubt) over(now time.Time) bool {
	return u.until.IsZero() || !u.wantsCanary() && !now.Before(u.until)
}

// wantsCanary reports whether a canary is worth its time on the line.
func (u *doubt) wantsCanary() bool { return u.trust > hopeless && !u.probed && !u.never }

// notBefore is the end of the wait when only waiting helps.
func (u *doubt) notBefore() time.Time {
	if u.wantsCanary() {
		return time.Time{}
	}
	return u.until
}
