package publish

import (
	"time"

	"sluice/mapping/payload"
	"sluice/mapping/point"
)

// lane is a topic of an output, and how messages on it are written.
type lane struct {
	output *Output
	topic  string
	writer *payload.Writer
}

// route takes the readings of one point to one topic of its own.
type route struct {
	lane
	sampled // if the output has an interval
}

// sampled is the reading published last by an output with an interval.
type sampled struct {
	any     bool
	at      time.Time
	quality point.Quality
	reason  string
}

// due reports whether r is the first reading in its interval, or of its quality.
func (s *sampled) due(r point.Reading, interval time.Duration) bool {
	fresh := !s.any || r.Quality != s.quality || r.Reason != s.reason
	if !fresh && (r.Quality == point.Bad || r.Time.Truncate(interval).Equal(s.at.Truncate(interval))) {
		return false
	}
	*s = sampled{true, r.Time, r.Quality, r.Reason}
	return true
}

// group gathers the readings of one device for messages about several points:
// those of one interval, which are polled together, or all of them for an output
// with an interval.
//
// A message goes out when every point has been read that was read for the message
// before; points that are asked for more rarely, such as those that the device
// refuses, hold up nobody. When the next poll begins before that, the message goes
// out without the missing ones.
type group struct {
	lane
	every   time.Duration // period of the points; not used with an interval
	seats   []seat
	since   time.Time // of the first fresh reading
	waiting bool      // there is one
	changed bool      // something in it is worth a message
	at      time.Time // of the last message, for an output with an interval
	present []point.Reading
}

// seat is the place of a point in a group.
type seat struct {
	reading point.Reading
	any     bool // it was read once
	fresh   bool // since the last message
	usual   bool // it was in the last message
}

// add makes room for one more point and returns its place.
func (g *group) add() int {
	g.seats = append(g.seats, seat{usual: true})
	return len(g.seats) - 1
}

// put takes the reading of the point in a place. It returns the readings of a
// message that has to go out first, valid until the next call.
func (g *group) put(place int, r point.Reading, changed bool) (first []point.Reading) {
	s := &g.seats[place]
	if g.output.Interval > 0 {
		worse := s.any && (s.reading.Quality != r.Quality || s.reading.Reason != r.Reason)
		g.changed = g.changed || worse || !r.Time.Truncate(g.output.Interval).Equal(g.at.Truncate(g.output.Interval))
	} else {
		if s.fresh || g.waiting && r.Time.Sub(g.since) > g.every*3/4 {
			first = g.take()
		}
		g.changed = g.changed || changed
	}
	if !g.waiting {
		g.since, g.waiting = r.Time, true
	}
	s.reading, s.any, s.fresh = r, true, true
	return first
}

// full returns the readings of the message that is complete, if one is.
func (g *group) full() []point.Reading {
	for i := range g.seats {
		if s := &g.seats[i]; s.usual && !s.fresh && (g.output.Interval == 0 || !s.any) {
			return nil
		}
	}
	return g.take()
}

// take returns what belongs into the message, if there is to be one, and begins
// the next.
func (g *group) take() []point.Reading {
	g.present = g.present[:0]
	for i := range g.seats {
		s := &g.seats[i]
		if s.fresh || g.output.Interval > 0 && s.any {
			g.present = append(g.present, s.reading)
		}
		if g.output.Interval == 0 {
			s.usual = s.fresh
		}
		if s.fresh && s.reading.Time.After(g.at) {
			g.at = s.reading.Time
		}
		s.fresh = false
	}
	changed := g.changed
	g.changed, g.waiting = false, false
	if !changed {
		return nil
	}
	return g.present
}
