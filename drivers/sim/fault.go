package sim

import (
	"math/rand/v2"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
)

// Faults are probabilities, 0 to 1, per reply where nothing else is said.
type Faults struct {
	Silent    float64 // the request is carried out, the reply is never sent
	Late      float64 // the reply comes LateMin to LateMax later than it would
	LateMin   time.Duration
	LateMax   time.Duration
	Exception float64 // the request is refused with exception 4 or 6
	Busy      float64 // and with exception 6 only
	WrongUnit float64 // another unit number, the checksum right
	Drop      float64 // one byte is lost
	Truncate  float64 // the second half is missing
	Insert    float64 // 1 to 3 stray bytes directly before
	Trail     float64 // 1 to 3 stray bytes directly after
	Duplicate float64 // sent twice, without a gap
	BitErrors float64 // per bit, of requests and replies
	Echo      float64 // per write of the host: it receives its own characters
}

// SetFaults replaces the faults of the line and of every unit.
func (b *Bus) SetFaults(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults, b.ofUnit = f, nil
}

// SetUnitFaults gives the replies of one unit faults of their own.
func (b *Bus) SetUnitFaults(id modbus.UnitID, f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ofUnit == nil {
		b.ofUnit = map[modbus.UnitID]Faults{}
	}
	b.ofUnit[id] = f
}

// faultsOf returns the faults of a unit's replies; for modbus.Broadcast those of
// the line.
func (b *Bus) faultsOf(id modbus.UnitID) Faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f, ok := b.ofUnit[id]; ok {
		return f
	}
	return b.faults
}

// mishap decides what goes wrong with one reply.
type mishap struct {
	Faults
	random  *rand.Rand
	framing modbus.Framing
	struck  bool // something did go wrong
}

// mishap draws what goes wrong with the next reply of a unit.
func (b *Bus) mishap(id modbus.UnitID) *mishap {
	return &mishap{Faults: b.faultsOf(id), random: b.random, framing: b.cfg.Framing}
}

// strikes reports whether a fault of this probability happens now.
func (m *mishap) strikes(probability float64) bool {
	hit := probability > 0 && m.random.Float64() < probability
	m.struck = m.struck || hit
	return hit
}

// delay is by how much the reply is late.
func (m *mishap) delay() time.Duration {
	if !m.strikes(m.Late) {
		return 0
	}
	return m.LateMin + upTo(m.random, m.LateMax-m.LateMin)
}

// refuse is the exception to a request that would be carried out otherwise, nil for
// none.
func (m *mishap) refuse(function byte) []byte {
	switch {
	case m.strikes(m.Exception):
		return device.Refusal(function, m.exception())
	case m.strikes(m.Busy):
		return device.Refusal(function, device.DeviceBusy)
	}
	return nil
}

// exception is why a device refuses that would not have.
func (m *mishap) exception() device.Exception {
	return [...]device.Exception{device.DeviceFailure, device.DeviceBusy}[m.random.IntN(2)]
}

// spoil returns the reply as the unit sends it: nil for none at all.
func (m *mishap) spoil(adu []byte) []byte {
	if m.strikes(m.Silent) {
		return nil
	}
	for _, f := range [...]struct {
		probability float64
		apply       func([]byte) []byte
	}{
		{m.WrongUnit, m.renumber},
		{m.Drop, m.drop},
		{m.Truncate, func(adu []byte) []byte { return adu[:len(adu)/2] }},
		{m.Insert, func(adu []byte) []byte { return append(m.stray(), adu...) }},
		{m.Trail, func(adu []byte) []byte { return append(adu, m.stray()...) }},
		{m.Duplicate, func(adu []byte) []byte { return append(adu, adu...) }},
	} {
		if m.strikes(f.probability) {
			adu = f.apply(adu)
		}
	}
	return m.flip(adu)
}

func (m *mishap) renumber(adu []byte) []byte {
	q, ok := unwrap(m.framing, adu)
	if !ok { // a recorded one may be bad already
		return adu
	}
	q.body[0] ^= byte(1 + m.random.IntN(255))
	return q.wrap(q.body)
}

func (m *mishap) drop(adu []byte) []byte {
	i := m.random.IntN(len(adu))
	return append(adu[:i], adu[i+1:]...)
}

// stray is what a line without bias picks up when drivers switch.
func (m *mishap) stray() []byte {
	junk := make([]byte, 1+m.random.IntN(3))
	for i := range junk {
		junk[i] = [...]byte{0x00, 0xFF, byte(m.random.Uint32())}[m.random.IntN(3)]
	}
	return junk
}

// flip inverts bits of p in place.
func (m *mishap) flip(p []byte) []byte {
	if m.BitErrors <= 0 {
		return p
	}
	for i := range p {
		for b := range 8 {
			if m.strikes(m.BitErrors) {
				p[i] ^= 1 << b
			}
		}
	}
	return p
}

// upTo is a random duration from 0 to d.
func upTo(r *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(d) + 1))
}
