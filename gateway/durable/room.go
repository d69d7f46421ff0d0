package durable

import (
	"errors"
	"time"
)

var errLimit = errors.New("limit reached and nothing to give up")

// begin starts a new tail at base.
func (l *Log) begin(base Seq) error {
	if err := l.obtain(); err != nil {
		return err
	}
	l.forgetEmpty(base)
	if err := l.disk.begin(base, l.account()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments, l.disk.tail.segment)
	l.look()
	return nil
}

// forgetEmpty removes the newest segment when it failed before its first frame:
// the new one gets its name.
func (l *Log) forgetEmpty(base Seq) {
	l.mu.Lock()
	n := len(l.segments) - 1
	if n < 0 || l.segments[n].base != base {
		l.mu.Unlock()
		return
	}
	empty := l.segments[n]
	l.segments = l.segments[:n]
	l.mu.Unlock()
	l.disk.discard(empty.name)
}

// abandon ends the tail; the next frame begins a segment.
func (l *Log) abandon() {
	l.disk.abandon()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.look()
}

// reserve keeps one segment ahead of need. An old one is given up only for a
// record that cannot be stored otherwise.
func (l *Log) reserve() {
	l.mu.Lock()
	if l.disk.files >= l.opt.maxFiles() {
		l.roomRetryAt = time.Time{} // acknowledgements help, trying again does not
	}
	starved, retryAt := l.starved, l.roomRetryAt
	calm := !starved && l.full == nil && retryAt.IsZero()
	l.mu.Unlock()
	var err error
	switch {
	case l.disk.files < l.opt.minFiles() && !starved:
		if time.Now().Before(retryAt) {
			return
		}
		for err == nil && l.disk.files < l.opt.minFiles() {
			err = l.disk.reserve()
		}
	case len(l.disk.spares) > 0:
		if calm {
			return
		}
	case starved:
		err = l.obtain()
	case l.disk.files >= l.opt.maxFiles() || time.Now().Before(retryAt):
		return
	default:
		err = l.disk.reserve()
	}
	l.reserved(starved, err)
}

// reserved tells those who wait for room.
func (l *Log) reserved(starved bool, err error) {
	l.mu.Lock()
	before := l.roomRetryAt
	l.starved, l.full, l.roomRetryAt = false, nil, time.Time{}
	if err != nil && starved {
		l.full = err
	}
	if err != nil && l.disk.files < l.opt.maxFiles() {
		l.roomRetryAt = time.Now().Add(retryEvery)
	}
	after := l.roomRetryAt
	l.look()
	l.mu.Unlock()
	switch {
	case before.IsZero() && !after.IsZero():
		l.opt.Log.Warn("queue cannot reserve a segment", "err", err, "retry", retryEvery)
	case !before.IsZero() && err == nil:
		l.opt.Log.Info("queue can reserve segments again")
	}
}

// obtain makes sure of a spare: a new file, or the oldest segment if the policy
// lets it go.
func (l *Log) obtain() error {
	for len(l.disk.spares) == 0 {
		err := errLimit
		if l.disk.files < l.opt.maxFiles() {
			err = l.disk.reserve()
		}
		if err == nil {
			return nil
		}
		if !l.giveUpOldest() {
			return err
		}
		if recycleErr := l.recycle(); recycleErr != nil {
			return errors.Join(err, recycleErr)
		}
	}
	return nil
}

// giveUpOldest settles the oldest segment, if the policy lets it go, and reports
// whether it can be recycled.
func (l *Log) giveUpOldest() bool {
	l.mu.Lock()
	keep := len(l.segments) == 0 || (l.opt.WhenFull == Reject && l.end(0) > l.ledger.acked)
	l.mu.Unlock()
	if keep {
		return false
	}
	l.dropOldest(Overflow)
	return true
}

// dropOldest settles the oldest segment, which may have no end yet, as lost.
func (l *Log) dropOldest(why Reason) {
	since := l.timeOf(l.Acked())
	l.mu.Lock()
	loss := l.drop(l.end(0), why, since)
	only := l.segments[0] == l.tail.segment
	l.mu.Unlock()
	l.report(loss)
	if only { // it must end to be emptied
		l.abandon()
	}
}

// recycle empties the settled segments, after the cursor file has passed them.
func (l *Log) recycle() error {
	for {
		seg, end := l.oldestSettled()
		if seg == nil {
			return nil
		}
		if l.disk.cursor < end {
			if err := l.saveCursor(); err != nil {
				return err
			}
		}
		l.mu.Lock()
		l.segments = l.segments[1:] // first, so that readers know why the content changes
		l.mu.Unlock()
		if err := l.disk.recycle(seg, l.opt.minFiles(), l.opt.maxFiles()); err != nil {
			l.opt.Log.Warn("queue cannot reuse a segment before the next start", "segment", seg.name, "err", err)
		}
		l.mu.Lock()
		l.look()
		l.mu.Unlock()
	}
}

// oldestSettled returns the oldest segment and its end if it can be recycled.
func (l *Log) oldestSettled() (*segment, Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.segments) == 0 || l.segments[0] == l.tail.segment || l.end(0) > l.ledger.acked {
		return nil, 0
	}
	return l.segments[0], l.end(0)
}
