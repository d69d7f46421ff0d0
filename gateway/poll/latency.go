package poll

import (
	"math"
	"time"

	"sluice/mapping"
)

// latency is how fast a device answers: the time from the end of a request to
// the first byte of its reply.
type latency struct {
	mean    time.Duration // weighted, the latest most; 0 before the first
	planned time.Duration // the mean that plans are made with, which follows in steps
	counts  [buckets]uint16
	total   int
	least   time.Duration // that is waited for an answer
}

const (
	smoothing = 8 // the weight of a new answer is one in so many
	step      = 4 // plans follow when the mean has moved by one in so many
	// A histogram of logarithmic buckets, a quarter of an octave each, from
	// finest to half a minute. It forgets half when it has enough.
	buckets = 64
	finest  = time.Millisecond
	enough  = 1024
	// known is how many answers it takes to speak of a device's habits.
	known = 20
)

// add takes the latency of one answer.
func (l *latency) add(d time.Duration) {
	if l.mean == 0 {
		l.mean = d
	}
	l.mean += (d - l.mean) / smoothing
	if (l.mean - l.planned).Abs() > l.planned/step {
		l.planned = l.mean
	}
	if l.total == enough {
		l.total = 0
		for i := range l.counts {
			l.counts[i] /= 2
			l.total += int(l.counts[i])
		}
	}
	l.counts[bucket(d)]++
	l.total++
}

func bucket(d time.Duration) int {
	octaves := math.Log2(float64(max(d, finest)) / float64(finest))
	return min(int(4*octaves), buckets-1)
}

// p99 is what all but one in a hundred of the latest answers took at most; 0
// when few are known.
func (l *latency) p99() time.Duration {
	if l.total < known {
		return 0
	}
	above := l.total / 100
	for i := buckets - 1; i > 0; i-- {
		if above -= int(l.counts[i]); above < 0 {
			return time.Duration(float64(finest) * math.Exp2(float64(i+1)/4))
		}
	}
	return finest
}

// minTimeout is the least that is waited for an answer, however fast the device
// is: serial adapters and schedulers hold bytes back for tens of milliseconds.
const minTimeout = 60 * time.Millisecond

// timeout is enough time for an answer: three times what nearly all took; 0 when
// few answers are known.
func (l *latency) timeout() time.Duration {
	p99 := l.p99()
	if p99 == 0 {
		return 0
	}
	return max(3*p99, l.least)
}

// advice is the timeout to configure where the one in use is far too long or
// barely long enough.
func (l *latency) advice(used time.Duration) string {
	fits := l.timeout()
	if l.total < 10*known || used <= 4*fits && used >= l.p99()*3/2 {
		return ""
	}
	const round = 10 * time.Millisecond
	return "timeout: " + mapping.FormatDuration((fits + round - 1).Truncate(round))
}
