package bridge

import (
	"context"
	"errors"
	"time"
)

// maxFailBack bounds how often fail-back doubles its patience.
const maxFailBack = 5

// errLeave ends a connection that nothing is wrong with.
var errLeave = errors.New("left as planned")

// ways are the brokers that a bridge may use, the preferred one first.
type ways struct {
	dials []Dialer
	at    int // the one in use
	tried int // in this round, in vain
	moves int // returns to the preferred one in a row that did not last
}

func (w *ways) dial(ctx context.Context) (Path, error) { return w.dials[w.at](ctx) }

// next chooses where to try after a connection, or an attempt at one, has ended. It
// reports false when every way was tried in vain, or the last one was good: then
// there is a pause first.
func (w *ways) next(end ending) bool {
	if end.sound {
		w.tried = 0
		return false
	}
	w.tried++
	if w.tried < len(w.dials) {
		w.at = (w.at + 1) % len(w.dials)
		return true
	}
	w.at, w.tried = 0, 0
	return false
}

// failBack is the return to the preferred way, once that is there again: what is on
// its way lands first, so that nothing arrives twice.
type failBack struct {
	due    time.Time // the preferred way is tried; zero: this is it
	cancel context.CancelFunc
	result chan probed // of the attempt under way
	path   Path        // found, and open
}

// planFailBack plans the return of a new connection.
func (l *link) planFailBack() {
	if l.ways.at > 0 {
		l.back.due = time.Now().Add(l.cfg.FailBack << min(l.ways.moves, maxFailBack))
	}
}

// tryFailBack looks for the preferred way when it is time.
func (l *link) tryFailBack(ctx context.Context) {
	if l.back.due.IsZero() || l.back.result != nil || time.Now().Before(l.back.due) {
		return
	}
	dialing, cancel := context.WithTimeout(ctx, l.cfg.DialTime)
	result := make(chan probed, 1)
	l.back.cancel, l.back.result = cancel, result
	dial := l.ways.dials[0]
	go func() {
		path, err := dial(dialing)
		result <- probed{path, err}
	}()
}

// foundWay takes the result.
func (l *link) foundWay(r probed) {
	l.back.cancel()
	l.back.result = nil
	if r.err != nil {
		l.back.due = time.Now().Add(l.cfg.FailBack)
		return
	}
	l.back.path, l.back.due = r.path, time.Time{}
	l.leave("failover")
}

// endFailBack hands the way that was found to the next connection, or waits for an
// attempt under way and closes what came of it.
func (l *link) endFailBack(leaving bool) {
	b := &l.back
	if b.result != nil {
		b.cancel()
		b.path = (<-b.result).path
		leaving = false
	}
	switch {
	case b.path == nil:
	case leaving:
		l.discard()
		l.spare, l.ways.at, l.ways.tried = b.path, 0, 0
		l.ways.moves++
	default:
		b.path.Close()
	}
	*b = failBack{}
}
