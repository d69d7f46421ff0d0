package device

import (
	"math"
	"time"
)

// Signal is a value that moves: a mean and waves on top of it. It is a function
// of the time alone, so the same instant always has the same value.
type Signal struct {
	Mean  float64
	Waves []Wave
}

// Wave is a sine of the signal. It is zero and rising at the Unix epoch plus
// Shift of its period.
type Wave struct {
	Amplitude float64
	Period    time.Duration // more than 0
	Shift     float64       // 0 to 1
}

// At returns the value at a time between the years 1678 and 2262.
func (s Signal) At(t time.Time) float64 {
	v := s.Mean
	for _, w := range s.Waves {
		v += w.Amplitude * math.Sin(w.angle(t))
	}
	return v
}

// Integral returns the area under the signal between two times, in value-seconds.
func (s Signal) Integral(from, to time.Time) float64 {
	sum := s.Mean * to.Sub(from).Seconds()
	for _, w := range s.Waves {
		scale := w.Amplitude * w.Period.Seconds() / (2 * math.Pi)
		sum += scale * (math.Cos(w.angle(from)) - math.Cos(w.angle(to)))
	}
	return sum
}

// angle is the position in the wave. Whole periods are taken away as integers:
// the sine of a large float is coarse.
func (w Wave) angle(t time.Time) float64 {
	turn := float64(t.UnixNano()%int64(w.Period)) / float64(w.Period)
	return 2 * math.Pi * (turn - w.Shift)
}
