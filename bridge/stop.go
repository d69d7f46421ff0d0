package bridge

import (
	"context"
	"time"
)

const (
	lastWords = 500 * time.Millisecond // for what came in just before a stop to leave
	lastLook  = 20 * time.Millisecond
)

// outlive returns a context that ends a little later than ctx where upstream is
// connected and something was not sent: the last words of those who stopped before this
// bridge are still being committed.
func (b *Bridge) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		end := time.Now().Add(lastWords)
		for longer.Err() == nil && time.Now().Before(end) {
			if s := b.Stats(); !s.Connected || s.Backlog() <= uint64(s.InFlight) {
				break
			}
			pause(longer, lastLook)
		}
		cancel(context.Cause(ctx))
	})
	return longer, func() {
		stop()
		cancel(nil)
	}
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
