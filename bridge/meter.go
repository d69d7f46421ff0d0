package bridge

import (
	"cmp"
	"time"
)

// Bounds of what may be on its way at once. What the link holds, and enough beside
// it to keep it busy between two PUBACKs; more only makes what is urgent wait
// longer and returns as duplicates after a loss. The bound of messages is for
// memory here and there: 128 bytes each fill the largest window.
const (
	firstWindow = 8 << 10 // bytes, until the link is measured
	firstRate   = 8000    // bytes per second that the link has at least until then, where alarms are sent
	maxWindow   = 128 << 10
	maxFlights  = 1000

	// What waits in front of the link, beside what is on it: as much as fits into a
	// round trip, within these bounds, and at least two full packets. An urgent message
	// waits behind it.
	minQueued   = 250 * time.Millisecond
	maxQueued   = 450 * time.Millisecond
	maxUrgent   = 300 * time.Millisecond // instead, where alarms are sent
	leastQueued = 2800

	idle = 50 * time.Millisecond // without anything to send: the rate is not the link's

	ratePeriod = time.Second // shortest time over which the rate is measured
	rateDecay  = 0.85        // per period in which a full window proves the link slower

	// Patience with a missing PUBACK.
	usualDoubt    = 3 * time.Second
	usualPatience = 10 * time.Second
	maxPatience   = 2 * time.Minute
	slowestRate   = 600 // bytes per second that any link is trusted with
)

// meter measures a link by its PUBACKs: round trip, rate, and from them the
// window and how long a silence may be.
type meter struct {
	owed, flights int // bytes and messages on their way
	spoken        int // bytes of those owed that are answered for by whatever is sent next
	biggest       int // bytes, of those sent since nothing was owed
	window        int // bytes
	progress      time.Time

	minDoubt, minPatience time.Duration // 0: the usual

	rttMin, srtt time.Duration // 0 until the first PUBACK
	rate         float64       // bytes per second, the best recently seen
	limit        bool          // rate is what the link can, not only what it was given
	urgent       bool          // there may be messages that others should not hold up

	period time.Time // when the current measurement of the rate began
	taken  int       // bytes acknowledged since
	full   bool      // the window held something back since
	queued bool      // the link did, too: what was sent waited in front of it
}

func newMeter() meter { return meter{window: firstWindow} }

// next returns the meter of the next connection, which begins with what this one
// has learned of the rate.
func (m meter) next() meter {
	n := newMeter()
	n.rate, n.rttMin, n.limit, n.urgent = m.rate, m.rttMin, m.limit, m.urgent
	n.minDoubt, n.minPatience = m.minDoubt, m.minPatience
	return n
}

// born takes note of the PUBACK of the birth, which had the link to itself. If
// it took much more or less time than any did before, this is another link.
func (m *meter) born(now time.Time, rtt time.Duration) {
	if rtt > 2*m.rttMin+minQueued || 2*rtt+minQueued < m.rttMin {
		m.rate, m.limit = 0, false
	}
	m.rttMin, m.srtt = rtt, rtt
	m.flights, m.owed, m.spoken, m.progress = 0, 0, 0, now
	switch {
	case m.rate > 0:
		m.resize()
	case m.urgent:
		m.window = min(max(int(firstRate*rtt.Seconds()), leastQueued), firstWindow)
	}
}

// room reports whether another message may be sent. One always may: a message
// larger than the window must pass, too.
func (m *meter) room() bool {
	if m.flights == 0 || m.owed < m.window && m.flights < maxFlights {
		return true
	}
	m.full = true
	return false
}

// sent takes note of a message of n bytes, and returns how many its PUBACK answers
// for.
func (m *meter) sent(now time.Time, n int) int {
	if m.flights == 0 {
		if now.Sub(m.progress) > idle {
			m.restart(time.Time{})
		}
		m.progress, m.biggest = now, 0
	}
	m.flights++
	m.owed += n
	m.biggest = max(m.biggest, n)
	n += m.spoken
	m.spoken = 0
	return n
}

// spoke takes note of a message of n bytes that has no answer of its own.
func (m *meter) spoke(n int) {
	m.owed += n
	m.spoken += n
}

// acked takes note of a PUBACK that answers for n bytes and was asked for rtt ago.
func (m *meter) acked(now time.Time, n int, rtt time.Duration) {
	m.flights--
	m.owed -= n
	m.progress = now
	m.rttMin = min(m.rttMin, rtt)
	m.srtt += (rtt - m.srtt) / 8
	m.queued = m.queued || rtt > m.rttMin*5/4+idle
	if m.period.IsZero() { // what came before the first PUBACK says nothing of the rate
		m.restart(now)
		return
	}
	m.taken += n
	if m.full && !m.limit && !m.queued { // twice as much each round trip, as TCP begins
		m.window = min(m.window+n, maxWindow)
	}
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
		m.limit = m.limit || m.queued
	}
	m.rate = max(m.rate, rate)
	m.resize()
	m.restart(now)
}

func (m *meter) resize() {
	most := maxQueued
	if m.urgent {
		most = maxUrgent
	}
	queued := m.rate * min(max(m.rttMin, minQueued), most).Seconds()
	held := m.rate * m.rttMin.Seconds()
	window := int(min(held+max(queued, leastQueued), maxWindow))
	if !m.limit { // not found yet
		window = max(window, m.window)
	}
	m.window = window
}

func (m *meter) restart(now time.Time) {
	m.period, m.taken, m.full, m.queued = now, 0, false, false
}

// doubt is when the silence begins to look like that of a dead connection:
// PUBACKs come one message apart, not one window apart.
func (m *meter) doubt() time.Time {
	limit := 2*m.rttMin + m.takes(3*m.biggest)
	return m.progress.Add(min(max(limit, cmp.Or(m.minDoubt, usualDoubt)), maxPatience))
}

// deadline is when a session has waited too long for its first PUBACK.
func (m *meter) deadline() time.Time {
	patience := 4*m.srtt + m.takes(2*m.owed)
	return m.progress.Add(min(max(patience, cmp.Or(m.minPatience, usualPatience)), maxPatience))
}

// takes returns how long the link is busy with n bytes, as far as is known.
func (m *meter) takes(n int) time.Duration {
	return time.Duration(float64(n) / max(m.rate, slowestRate) * float64(time.Second))
}
