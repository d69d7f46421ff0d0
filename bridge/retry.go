package bridge

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"

	"sluice/gateway/backoff"
)

const (
	// dialTime bounds one attempt to find a way: the first SYN, the two that the
	// kernel repeats it by within 3 s, and the answer to the last.
	dialTime = 5 * time.Second

	// eager is how long a way that is gone is looked for without a pause worth
	// mentioning: an attempt costs a few SYNs, and most outages are short.
	eager = time.Minute

	stablePeriod = 10 * time.Second // a connection that lived as long was a good one

	// Who has our client identifier, too, ends our connection by beginning one, and we
	// end theirs. Whatever either can send meanwhile, that must not go on without
	// end: after so many connections they are begun ever less often, until one lives.
	evictedAfter = 3
	evictedTime  = 2 * time.Minute // longer than two who wait for each other can
)

// isEvicted takes note of a connection that lived for so long and ended by err, and
// reports whether upstream seems to end all of them. Those on which a message is
// under suspicion say nothing of others.
func (b *Bridge) isEvicted(err error, lived time.Duration) bool {
	switch {
	case lived >= evictedTime:
		b.evicted = 0
	case lived >= stablePeriod && b.evicted < evictedAfter:
		b.evicted = 0
	case b.suspect.times < suspectAfter && b.doubt.trials == 0 && hungUp(err):
		b.evicted++
		if b.evicted == evictedAfter {
			b.log.Error("upstream ends each connection soon after it began: another client may have the same client_id")
		}
	}
	return b.evicted >= evictedAfter
}

// hungUp reports whether the other side ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// retry spaces out attempts to connect. Its zero value is ready.
type retry struct {
	failures int
	since    time.Time // when the way was found to be gone
}

// wait blocks until the next attempt is due, or a link came up. It fails when
// ctx ends.
func (r *retry) wait(ctx context.Context, end ending, linkUp <-chan struct{}) error {
	p := backoff.Policy{Min: 500 * time.Millisecond, Max: time.Minute}
	if end.path {
		r.since = time.Time{}
	} else if r.since.IsZero() {
		r.since = time.Now()
	}
	if end.sound || !r.since.IsZero() && time.Since(r.since) < eager {
		r.failures = 0
	}
	timer := time.NewTimer(p.Delay(r.failures))
	defer timer.Stop()
	r.failures++
	select {
	case <-timer.C:
	case <-linkUp:
		r.failures = 0
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
