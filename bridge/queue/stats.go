package queue

import (
	"math"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// Stats is a snapshot of the account of a lane. Messages are counted since the
// lane was created: Appended = Delivered + Lost + Dead + Backlog at any time.
type Stats struct {
	Appended  uint64
	Delivered uint64
	Lost      uint64 // Overflow + Expired + Damage
	Overflow  uint64 // dropped at the limit, or on request
	Expired   uint64 // dropped because of their age
	Damage    uint64 // could not be read any more
	Dead      uint64 // moved to the dead letters
	Backlog   uint64

	BacklogBytes int64         // exact to about 1 MiB
	MaxBytes     int64         // what BacklogBytes may come to
	Rate         float64       // bytes per second that come in, over about ten minutes
	Room         time.Duration // until the lane is full at this rate, with nothing going out; at most 10 years
	OldestAt     time.Time     // of the first message of the backlog; zero when there is none
	LastLoss     durable.Loss
	Failed       error // why nothing can be written at present

	// Since the lane was opened:
	Refused    uint64 // messages that Append did not take
	FlashBytes uint64 // given to flash
	Syncs      uint64
}

// Balance is what is missing in the account, or too much: always 0.
func (s Stats) Balance() int64 {
	return int64(s.Appended) - int64(s.Delivered+s.Lost+s.Dead+s.Backlog)
}

// Stats returns the account. It may read one record.
func (l *Lane) Stats() Stats {
	log, err := l.folder.get()
	if err != nil {
		return Stats{Failed: err}
	}
	s := log.Stats()
	out := Stats{
		Appended:     s.Appended,
		Delivered:    s.Delivered,
		Lost:         s.Overflow + s.Expired + s.Damage,
		Overflow:     s.Overflow,
		Expired:      s.Expired,
		Damage:       s.Damage,
		Dead:         s.Dead,
		Backlog:      s.Backlog,
		BacklogBytes: s.BacklogBytes,
		MaxBytes:     s.MaxBytes,
		Rate:         l.rate.at(time.Now(), s.FrameBytes),
		OldestAt:     l.oldest.at(log),
		LastLoss:     s.LastLoss,
		Failed:       s.Failed,
		Refused:      s.Refused,
		FlashBytes:   s.Bytes,
		Syncs:        s.Syncs,
	}
	out.Room = room(s.MaxBytes-s.BacklogBytes, out.Rate)
	return out
}

const (
	ratePeriod = 10 * time.Minute
	forEver    = 10 * 365 * 24 * time.Hour
)

// room returns how long so many bytes last at a rate.
func room(bytes int64, rate float64) time.Duration {
	seconds := float64(max(bytes, 0)) / rate
	if seconds > forEver.Seconds() || math.IsNaN(seconds) {
		return forEver
	}
	return time.Duration(seconds * float64(time.Second))
}

// rate is a moving average of what comes in.
type rate struct {
	mu    sync.Mutex
	since time.Time // when the average began
	last  time.Time // when it was taken
	bytes uint64    // in all by then
	value float64   // per second
}

func newRate() rate {
	now := time.Now()
	return rate{since: now, last: now}
}

// at returns the average at now, by when so many bytes had come in.
func (r *rate) at(now time.Time, bytes uint64) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := now.Sub(r.last)
	if step < time.Second {
		return r.value
	}
	weight := max(1-math.Exp(-step.Seconds()/ratePeriod.Seconds()), step.Seconds()/now.Sub(r.since).Seconds())
	r.value += weight * (float64(bytes-r.bytes)/step.Seconds() - r.value)
	r.last, r.bytes = now, bytes
	return r.value
}
