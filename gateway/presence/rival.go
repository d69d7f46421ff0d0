package presence

import "time"

const (
	corrections = 3           // within correcting, before somebody else must be at work
	correcting  = time.Minute // see corrections
	minRest     = time.Minute // between two corrections then, twice as long each time
	maxRest     = 15 * time.Minute
	forgotten   = 15 * time.Minute // a rival that was not seen for so long is gone
)

// rival is what is known of a second gateway under our id. Our state is put right
// at once when it is not ours, since most often an old will came late or a broker
// came back with an old store. But two gateways that do so would go on for ever,
// so who finds that there is another does it ever more rarely. The zero value knows
// of nobody.
type rival struct {
	alive   bool // there is one
	session string
	conn    uint64
	births  int       // of the session that came after our own
	last    time.Time // when there was a sign of it
	done    []time.Time
	next    time.Time // when the state is put right; zero: it is
	rest    time.Duration
}

// wrong takes note that upstream has another state than ours.
func (r *rival) wrong(now time.Time) {
	if !r.next.IsZero() {
		return
	}
	r.next = now
	n := len(r.done)
	if often := n == corrections && now.Sub(r.done[0]) < correcting; often || r.alive && n > 0 {
		r.next = r.done[n-1].Add(max(r.rest, minRest))
	}
}

// resolved takes note that upstream has our state.
func (r *rival) resolved() { r.next = time.Time{} }

// due reports whether it is time to put the state right.
func (r *rival) due(now time.Time) bool { return !r.next.IsZero() && !now.Before(r.next) }

// corrected takes note that this was done.
func (r *rival) corrected(now time.Time) {
	r.next = time.Time{}
	r.done = append(r.done, now)
	if n := len(r.done); n > corrections {
		r.done = r.done[n-corrections:]
	}
	if r.alive {
		r.rest = min(2*max(r.rest, minRest), maxRest)
	}
}

// sighted takes note of a state of another session, newer than our birth or not, and
// reports whether that is the first proof of a rival. One of an earlier life of this
// gateway is none: it connects no more, and never insists.
func (r *rival) sighted(s state, newer bool, now time.Time) (found bool) {
	if s.Session != r.session {
		r.session, r.conn, r.births = s.Session, s.Conn, 0
	}
	connects := s.Conn > r.conn
	r.conn = s.Conn
	if newer && s.State == "online" {
		r.births++
	}
	if !connects && r.births < 2 && !r.alive {
		return false
	}
	found = !r.alive
	r.last, r.alive = now, true
	if found && len(r.done) > 0 && !r.next.IsZero() {
		r.rest = minRest
		r.next = r.done[len(r.done)-1].Add(minRest)
	}
	return found
}

// rests reports that a rival has gone.
func (r *rival) rests(now time.Time) bool {
	if !r.alive || now.Sub(r.last) < forgotten {
		return false
	}
	*r = rival{}
	return true
}
