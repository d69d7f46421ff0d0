package bridge

import "time"

// Bounds of what may be on its way at once. Twice what the link holds keeps it
// busy; more only makes everything wait longer and returns as duplicates after a
// loss. Large brokers take no more than about 100 unacknowledged messages.
const (
	firstWindow = 16 << 10 // bytes, until the link is measured
	minWindow   = 8 << 10
	maxWindow   = 128 << 10
	maxFlights  = 100

	ratePeriod = time.Second // shortest time over which the rate is measured
	rateDecay  = 0.85        // per period in which a full window proves the link slower

	// Patience with a missing PUBACK.
	minPatience = 10 * time.Second
	maxPatience = 2 * time.Minute
	slowestRate = 600 // bytes per second that any link is trusted with
)

// meter measures one connection by its PUBACKs: round trip, rate, and from them
// the window and how long a silence may be.
type meter struct {
	owed, flights int // bytes and messages on their way
	window        int // bytes
	progress      time.Time

	rttMin, srtt time.Duration // 0 until the first PUBACK
	rate         float64       // bytes per second, the best recently seen

	period time.Time // when the current measurement of the rate began
	taken  int       // bytes acknowledged since
	full   bool      // the window held something back since
}

func newMeter() meter { return meter{window: firstWindow} }

// room reports whether another message may be sent. One always may: a message
// larger than the window must pass, too.
func (m *meter) room() bool {
	if m.flights == 0 || m.owed < m.window && m.flights < maxFlights {
		return true
	}
	m.full = true
	return false
}

// sent takes note of a message of n bytes.
func (m *meter) sent(now time.Time, n int) {
	if m.flights == 0 {
		m.progress = now
		m.restart(now)
	}
	m.flights++
	m.owed += n
}

// acked takes note of the PUBACK of a message of n bytes that was sent rtt ago.
func (m *meter) acked(now time.Time, n int, rtt time.Duration) {
	m.flights--
	m.owed -= n
	m.taken += n
	m.progress = now
	if m.rttMin == 0 {
		m.rttMin, m.srtt = rtt, rtt
	}
	m.rttMin = min(m.rttMin, rtt)
	m.srtt += (rtt - m.srtt) / 8
	if now.Sub(m.period) >= max(ratePeriod, m.rttMin) {
		m.measure(now)
	}
}

// measure ends a period. Only a link that had enough to do can prove that it
// became slower.
func (m *meter) measure(now time.Time) {
	rate := float64(m.taken) / now.Sub(m.period).Seconds()
	if m.full {
		m.rate *= rateDecay
	}
	m.rate = max(m.rate, rate)
	m.window = int(min(max(2*m.rate*m.rttMin.Seconds(), minWindow), maxWindow))
	m.restart(now)
}

func (m *meter) restart(now time.Time) {
	m.period, m.taken, m.full = now, 0, false
}

// deadline is when the oldest unacknowledged message has waited too long.
func (m *meter) deadline() time.Time {
	queued := 2 * float64(m.owed) / max(m.rate, slowestRate)
	patience := 4*m.srtt + time.Duration(queued*float64(time.Second))
	return m.progress.Add(min(max(patience, minPatience), maxPatience))
}
