package durable

import (
	"errors"
	"fmt"
	"time"
)

// run is the committer. It ends when the log was closed and everything that
// could be saved is.
func (l *Log) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.wake:
		case <-timer.C:
		}
		if l.turn() {
			l.finish()
			return
		}
		if wait, ok := l.untilDue(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// turn does what is due. It reports whether the log was closing when it began:
// then nothing was appended since, and nothing is left to commit.
func (l *Log) turn() bool {
	l.mu.Lock()
	closing := l.closing
	l.mu.Unlock()
	if l.troubled() {
		l.renew()
	}
	for b := l.due(); b != nil; b = l.due() {
		if !l.commit(b) {
			break
		}
	}
	l.expire()
	l.recycle() // an error of the cursor is dealt with by saveCursor
	l.reserve()
	switch {
	case l.cursorDue():
		l.saveCursor()
	case l.noteDue():
		l.noteCursor()
	}
	return closing
}

// due returns the batch to commit now, which takes no more records.
func (l *Log) due() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.pending.first()
	switch {
	case b == nil:
		return nil
	case l.closing:
	case l.failed != nil && time.Now().Before(l.retryAt):
		return nil
	case !b.sealed && time.Since(b.since) < l.opt.CommitDelay:
		return nil
	}
	b.sealed = true
	return b
}

// untilDue returns how long nothing is due; false means until the next nudge.
func (l *Log) untilDue() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if b := l.pending.first(); b != nil && l.failed == nil {
		sooner(b.since.Add(l.opt.CommitDelay))
	}
	if !l.dirtySince.IsZero() {
		sooner(l.dirtySince.Add(l.opt.CursorEvery))
	}
	if l.ledger.revision != l.noted {
		sooner(l.notedAt.Add(noteEvery))
	}
	if !l.retryAt.IsZero() {
		sooner(l.retryAt)
	}
	if !l.roomRetryAt.IsZero() {
		sooner(l.roomRetryAt)
	}
	if l.opt.Keep > 0 && len(l.segments) > 0 {
		sooner(l.expireAt)
	}
	return time.Until(at), !at.IsZero()
}

// commit makes a batch durable and reports whether it is. After an error the
// segment gets nothing more: a failed sync may have dropped the pages, and the
// next one would succeed all the same. The batch is written once more, to a new
// segment; when that fails too the log has failed, until a retry succeeds.
func (l *Log) commit(b *batch) bool {
	acc, err := l.write(b)
	if err != nil {
		l.abandon()
		l.rewriting(err)
		l.renew()
		acc, err = l.write(b)
	}
	if err != nil {
		l.abandon()
		l.fail(err)
		return false
	}
	l.committed(b, acc)
	return true
}

// rewriting takes note of a first failure.
func (l *Log) rewriting(err error) {
	l.mu.Lock()
	l.events.Rewrites++
	failed := l.failed != nil
	l.mu.Unlock()
	if !failed {
		l.opt.Log.Error("queue write failed, beginning a new segment", "err", err)
	}
}

// write puts a batch at the end of the log, in a new segment if need be, and
// returns the account that it carried.
func (l *Log) write(b *batch) (account, error) {
	if l.disk.tail.room() < b.size() {
		if err := l.begin(b.first); err != nil {
			return account{}, err
		}
	}
	acc := l.account()
	return acc, l.disk.append(b.padded(), b.head(acc))
}

func (l *Log) committed(b *batch, acc account) {
	l.mu.Lock()
	l.pending.pop()
	l.durable = b.end()
	l.events.Commits++
	l.events.FrameBytes += uint64(b.size())
	failed := l.failed
	l.failed, l.retryAt = nil, time.Time{}
	l.saved(acc)
	l.look()
	l.mu.Unlock()
	if failed != nil {
		l.opt.Log.Info("queue writes again")
	}
}

// fail tells everybody; the batch stays first in the queue.
func (l *Log) fail(err error) {
	l.mu.Lock()
	first := l.failed == nil
	l.failed = fmt.Errorf("queue failed: %w", err)
	l.retryAt = time.Now().Add(retryEvery)
	l.look()
	l.mu.Unlock()
	if first {
		l.opt.Log.Error("queue failed, nothing is accepted until the disk recovers", "err", err, "retry", retryEvery)
	}
}

// saved notes that the medium knows acc. The mutex is held.
func (l *Log) saved(acc account) {
	if l.dirtySince = (time.Time{}); l.ledger.revision != acc.revision {
		l.dirtySince = time.Now()
	}
	l.noted, l.notedAt = acc.revision, time.Now()
}

// look renews what others see of the store. The mutex is held.
func (l *Log) look() {
	l.tail = tailView{spare: len(l.disk.spares) > 0}
	if t := l.disk.tail; t != nil {
		l.tail.segment, l.tail.off, l.tail.room = t.segment, t.off, t.room()
	}
	l.broadcast()
}

func (l *Log) cursorDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dirtySince.IsZero() && time.Since(l.dirtySince) >= l.opt.CursorEvery
}

// saveCursor writes the account to the cursor file. An error costs duplicates at
// worst; it is tried again after CursorEvery.
func (l *Log) saveCursor() error {
	l.mu.Lock()
	end, acc := l.durable, l.ledger.snapshot()
	l.mu.Unlock()
	before := l.disk.cursorBad
	err := l.disk.writeCursor(end, acc)
	if err != nil && l.renew() {
		err = l.disk.writeCursor(end, acc)
	}
	switch after := l.disk.cursorBad; {
	case after && !before:
		l.opt.Log.Warn("queue cannot save its cursor", "err", err)
	case before && !after:
		l.opt.Log.Info("queue saves its cursor again")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.dirtySince = time.Now()
		return err
	}
	l.saved(acc)
	return nil
}

// noteDue reports whether the account should outlive the process now.
func (l *Log) noteDue() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger.revision != l.noted && time.Since(l.notedAt) >= noteEvery
}

// noteCursor leaves the account with the kernel, which costs no flash: it is
// there for the next process when this one is killed. An error is left to
// saveCursor.
func (l *Log) noteCursor() {
	l.mu.Lock()
	end, acc := l.durable, l.ledger.snapshot()
	l.noted, l.notedAt = acc.revision, time.Now()
	l.mu.Unlock()
	l.disk.noteCursor(end, acc)
}

// finish saves what is left to save and ends every wait.
func (l *Log) finish() {
	err := l.saveCursor()
	l.abandon()
	err = errors.Join(err, l.fs.Close())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeErr = errors.Join(l.failed, err)
	close(l.done)
	l.broadcast()
}
