package poll

import (
	"time"

	"sluice/drivers/modbus"
)

// State is whether a device can be relied on.
type State string

// The states of a device.
const (
	Unknown  State = "unknown"  // not asked yet, or its port is down
	Online   State = "online"   // it answers
	Degraded State = "degraded" // it answers, but not for all of its points
	Offline  State = "offline"  // it does not answer
)

// note brings what is shown of a device up to date after an exchange.
func (p *Poller) note(d *device, err error, now time.Time) {
	state := d.state(modbus.FaultOf(err))
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &d.shown
	if err == nil {
		s.LastGood = now
	} else {
		s.Failures++
		s.Error, s.ErrorAt = modbus.Reason(err), now
	}
	s.Failing = d.failing
	if s.State != state {
		s.State, s.Since = state, now
	}
}

// state is that of a device whose last exchange ended with a fault, or none.
func (d *device) state(f modbus.Fault) State {
	switch {
	case f == modbus.Medium:
		return Unknown
	case d.offline:
		return Offline
	case d.away() && d.answers == 0:
		return Unknown
	case d.failing > 0:
		return Degraded
	default:
		return Online
	}
}

// fails notes whether a point could not be read when it was last asked for.
func (d *device) fails(k *task, failed bool) {
	if k.failed == failed {
		return
	}
	k.failed = failed
	if failed {
		d.failing++
	} else {
		d.failing--
	}
}
