package rtu

import (
	"time"

	"sluice/drivers/modbus"
)

// Doubts is what the exchanges of one bus have left open. A reply carries
// neither the address asked for nor a number, so after an exchange without one
// the next reply of the same shape might be the old one, and a unit that keeps a
// request while it is busy would then be one behind for ever. The zero value is
// ready for use; it belongs to the transport in use.
type Doubts struct {
	units [256]doubt
}

// doubt is what is known about one unit.
type doubt struct {
	until  time.Time // no older reply comes after this; zero when none is owed
	probed bool      // a canary was sent since, and not answered
	trust  int8      // in the canary, see trusted and hopeless
}

// Trust in the canary starts at 0. An answer raises it to trusted, and each
// canary in a row without one costs a point. It falls below zero only when the
// unit then answered an ordinary request, and so does not know function 8: at
// hopeless the unit is left alone with it.
const (
	trusted  = 3
	hopeless = -3
)

// asked notes that a request goes out and that its reply may come until then.
func (d *Doubts) asked(unit modbus.UnitID, until time.Time) {
	d.units[unit].until = until
}

// answered notes the reply to an ordinary request.
func (d *Doubts) answered(unit modbus.UnitID) {
	u := &d.units[unit]
	if u.probed && u.trust <= 0 {
		u.trust = max(u.trust-1, hopeless)
	}
	u.until, u.probed = time.Time{}, false
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
func (u *doubt) wantsCanary() bool { return u.trust > hopeless && !u.probed }

// notBefore is the end of the wait when only waiting helps.
func (u *doubt) notBefore() time.Time {
	if u.wantsCanary() {
		return time.Time{}
	}
	return u.until
}
