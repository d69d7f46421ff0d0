package upstream

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// settle is how long the network is left alone after a change: addresses, routes
// and links come up one after the other.
const settle = 300 * time.Millisecond

// Watch hears from the kernel when a way out of this machine may have come up.
type Watch struct {
	log   *slog.Logger
	ready chan struct{}

	mu  sync.Mutex // guards ups
	ups []chan struct{}
}

// NewWatch returns a watch; Run starts it.
func NewWatch(log *slog.Logger) *Watch {
	return &Watch{log: log, ready: make(chan struct{})}
}

// Up returns a channel that yields after a link, an address or a route has come
// up, until it is handed to Forget. Whoever does not listen misses all but one.
func (w *Watch) Up() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan struct{}, 1)
	w.ups = append(w.ups, c)
	return c
}

// Forget ends what Up began.
func (w *Watch) Forget(up <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ups = slices.DeleteFunc(w.ups, func(c chan struct{}) bool { return c == up })
}

// String returns the name in logs.
func (w *Watch) String() string { return "network watch" }

// Ready is closed when the watch listens, or cannot.
func (w *Watch) Ready() <-chan struct{} { return w.ready }

// Run listens until ctx is cancelled. Where the kernel does not tell, it says so
// and does nothing: the bridges then go by their own clocks.
func (w *Watch) Run(ctx context.Context) error {
	changes, done, err := networkChanges(ctx)
	close(w.ready)
	if err != nil {
		w.log.Warn("cannot hear when the network comes up", "err", err)
		<-ctx.Done()
		return nil
	}
	defer done()
	for {
		select {
		case <-changes:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return nil
		}
		w.tell()
	}
}

func (w *Watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.ups {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
