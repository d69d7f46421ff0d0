package bridge

import "time"

const (
	muteAfter = 3         // trials
	muteTime  = time.Hour // then another trial
)

// doubt is whether upstream bears what is said. It is tried as a suspect of the
// queue is: by itself, and on connections that have lasted without it. It is no
// reason for doubt that a connection ended on a message of the queue.
type doubt struct {
	times  int           // connections that ended on what was said, alone
	trials int           // those of them that had shown to last without it
	took   time.Duration // the longest that it took to end one
}

// proof is how long a connection must have lasted before anything is said on it.
func (d *doubt) proof() time.Duration { return 2 * d.took }

// mayTry reports whether the connection has lasted long enough to say something.
func (l *link) mayTry() bool { return !l.sayable.After(time.Now()) }

// trying reports whether what is said must be alone: it is on its way and in
// doubt, or waits for nothing but that.
func (l *link) trying() bool {
	if l.doubt.times == 0 || !l.mayTry() {
		return false
	}
	return len(l.flights) > 0 && l.flights[0].spoken() || l.toSay()
}

// doubtSaid looks whether a connection ended on something that was said, alone: a
// broker that lets nobody publish that has no other way to tell.
func (l *link) doubtSaid() {
	f, owed, took := l.flights[0], len(l.flights), time.Since(l.flights[0].at)
	l.flights = nil
	if f.straight || owed > 1 || took > suspectTime {
		return
	}
	d := &l.doubt
	if d.times > 0 {
		d.trials++
	}
	d.times++
	d.took = max(d.took, took)
	if d.trials < muteAfter {
		return
	}
	d.trials = muteAfter - 1
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mute.IsZero() {
		l.log.Error("upstream hangs up on health and state of this gateway, which are now tried once an hour only: let it publish to its topics, or turn heartbeat and watch off")
	}
	l.mute = time.Now().Add(muteTime)
}

// heard takes note that upstream has what was said.
func (l *link) heard() {
	l.doubt = doubt{}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mute.IsZero() {
		l.log.Info("upstream takes health and state of this gateway again")
		l.mute = time.Time{}
	}
}
