package device

import "time"

// The tank: rates in mm/s, levels in mm.
const (
	inflow      = 12.0
	pumping     = 30.0
	hysteresis  = 200.0 // the pump switches this far from the setpoint
	levelSwitch = 100.0 // and the level switches are this far from it
	tankTop     = 3000.0
	tankBottom  = 0.0
	minSetpoint = 500
	maxSetpoint = 2500
)

// tank is a level between two switching points. The level moves in straight
// lines, so it is computed exactly however long nobody asked.
type tank struct {
	at       time.Time
	level    float64
	setpoint float64
	pump     bool
}

// advance moves the tank on to a time. A pump that was switched by hand stays
// so until the level next crosses a switching point or the tank is full or empty.
func (k *tank) advance(to time.Time) {
	for k.at.Before(to) {
		bound, rate := k.next(), inflow
		if k.pump {
			rate -= pumping
		}
		left := to.Sub(k.at).Seconds()
		if need := (bound - k.level) / rate; need <= left {
			k.at = k.at.Add(time.Duration(need * float64(time.Second)))
			k.level, k.pump = bound, !k.pump
			continue
		}
		k.level += rate * left
		k.at = to
	}
}

// next is the level at which the pump will switch.
func (k *tank) next() float64 {
	low, high := k.setpoint-hysteresis, k.setpoint+hysteresis
	switch {
	case k.pump && k.level > low:
		return low
	case k.pump:
		return tankBottom
	case k.level < high:
		return high
	default:
		return tankTop
	}
}
