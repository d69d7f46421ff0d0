package durable

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Log is a bounded first-in, first-out log of records. Its methods may be called
// from any goroutine.
type Log struct {
	opt  Options
	fs   FS
	wake chan struct{} // something for the committer to do, or to wait for
	done chan struct{} // the committer has ended

	// The committer's alone.
	disk     *store
	expireAt time.Time // nothing is too old before

	mu       sync.Mutex    // guards what follows; never held during I/O
	changed  chan struct{} // closed and replaced when a waiting goroutine should look again
	closing  bool
	closeErr error

	failed      error     // of the last commit: nothing is accepted until one succeeds
	retryAt     time.Time // when the failed commit is tried again; zero: it has not failed
	starved     bool      // a record waits for a segment
	full        error     // why none could be had
	roomRetryAt time.Time // when a reservation that failed is tried again; zero: none has

	next    Seq // number of the next record
	durable Seq // all below are on the medium
	pending queue

	ledger     ledger
	dirtySince time.Time // since when the medium does not know the account; zero: it does
	noted      uint64    // revision of the account that outlives the process
	notedAt    time.Time
	gapEnd     Seq // of what was lost since the log was opened
	segments   []*segment
	tail       tailView
	events     Events
	lastLoss   Loss
}

// tailView is what appenders and readers may know of the store.
type tailView struct {
	segment *segment // nil when the next frame begins a segment
	off     int64    // end of its last durable frame
	room    int64    // bytes behind that
	spare   bool     // another segment is reserved
}

// Append queues a copy of rec and returns its number. The record is durable once
// Wait for that number returned nil; it is committed without being waited for.
// Append blocks while 2 x CommitBytes wait for the disk, and while a segment is
// being reserved. Errors: ErrTooLarge, ErrFull, ErrClosed, or why the disk failed.
func (l *Log) Append(rec []byte) (Seq, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		admitted, err := l.admit(rec)
		if err != nil {
			l.events.Refused++
			return 0, err
		}
		if admitted {
			return l.push(rec), nil
		}
		l.sleep()
	}
}

// admit reports whether there is memory and disk for rec. If not, the committer
// knows, and it is worth waiting.
func (l *Log) admit(rec []byte) (bool, error) {
	switch {
	case l.closing:
		return false, ErrClosed
	case len(rec) > l.opt.maxRecord():
		return false, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(rec), l.opt.maxRecord())
	case l.failed != nil:
		return false, l.failed
	case l.pending.size() >= 2*int64(l.opt.CommitBytes):
		return false, nil
	case l.pending.size()+headSize+alignUp(int64(recordSize(rec))) <= l.tail.room || l.tail.spare:
		return true, nil
	case l.full != nil:
		return false, fmt.Errorf("%w: %w", ErrFull, l.full)
	}
	l.starved = true
	l.nudge()
	return false, nil
}

func (l *Log) push(rec []byte) Seq {
	seq := l.next
	l.next++
	idle := l.pending.first() == nil
	l.pending.add(seq, rec)
	if idle || l.pending.first().sealed {
		l.nudge()
	}
	return seq
}

// Wait blocks until the record seq is durable. Any error means that this is not
// known to be so; the record may still be stored.
func (l *Log) Wait(ctx context.Context, seq Seq) error {
	return l.until(ctx, func() (bool, error) { return l.durable > seq, l.failed })
}

// WaitFor blocks until there is a record at or after seq to be read. It goes on
// waiting while the disk fails.
func (l *Log) WaitFor(ctx context.Context, seq Seq) error {
	return l.until(ctx, func() (bool, error) { return l.durable > l.ledger.unread(seq) && !l.closing, nil })
}

// until blocks until met, called with the mutex held, reports true or an error.
func (l *Log) until(ctx context.Context, met func() (bool, error)) error {
	for {
		l.mu.Lock()
		ok, err := met()
		changed := l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-changed:
		case <-l.done:
			return l.afterClose(met)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Log) afterClose(met func() (bool, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok, _ := met(); ok {
		return nil
	}
	return ErrClosed
}

// Ack settles every record below upTo as delivered. It is remembered in memory
// and reaches the disk with the next commit, or after CursorEvery. Records that
// are not durable are not settled.
func (l *Log) Ack(upTo Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	upTo = min(upTo, l.durable)
	if upTo <= l.ledger.acked {
		return
	}
	l.ledger.settleAll(upTo, delivered)
	l.accountChanged()
}

// Acked returns the cursor: every record below is settled.
func (l *Log) Acked() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger.acked
}

// Close commits what is pending, saves the cursor and gives the directory back.
// It returns an error when not everything could be saved. Close may be called again.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closing = true
	l.broadcast()
	l.nudge()
	l.mu.Unlock()
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closeErr
}

// end returns the end of segment i. The mutex is held.
func (l *Log) end(i int) Seq {
	if i+1 < len(l.segments) {
		return l.segments[i+1].base
	}
	return l.durable
}

// view is where a reader finds a record.
type view struct {
	segment *segment
	next    Seq   // the record wanted, or the first that is left
	end     Seq   // of the segment, as far as it is durable
	limit   int64 // end of its frames; 0: the whole file
}

// view returns where next is; ok is false when it is not there yet.
func (l *Log) view(next Seq) (v view, ok bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return view{}, false, ErrClosed
	}
	if len(l.segments) == 0 {
		return view{}, false, nil
	}
	v.next = l.ledger.past(max(next, l.segments[0].base))
	if v.next >= l.durable {
		return view{}, false, nil
	}
	i, _ := slices.BinarySearchFunc(l.segments, v.next+1, func(s *segment, seq Seq) int {
		if s.base < seq {
			return -1
		}
		return 1
	})
	v.segment, v.end = l.segments[i-1], l.end(i-1)
	if v.segment == l.tail.segment {
		v.limit = l.tail.off
	}
	return v, true, nil
}

// sleep waits, without the mutex, until something changed.
func (l *Log) sleep() {
	changed := l.changed
	l.mu.Unlock()
	<-changed
	l.mu.Lock()
}

func (l *Log) broadcast() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// nudge wakes the committer.
func (l *Log) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it has not yet come round from the last
	}
}
