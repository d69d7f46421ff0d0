package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// retryEvery is how often a log that could not be opened is tried again.
const retryEvery = 5 * time.Second

// folder is a log that may not be open yet, because the disk is full, read-only
// or cannot be read.
type folder struct {
	open   func() (*durable.Log, error)
	slog   *slog.Logger
	cancel context.CancelFunc
	done   chan struct{} // open is not called any more

	mu     sync.Mutex
	log    *durable.Log  // nil: not open
	err    error         // why; ErrClosed at the end
	opened chan struct{} // closed when log is there, or never will be
}

// openFolders opens the dead letters and the lanes; together, if asked to, since
// most of opening is waiting for the medium. On error none is open.
func openFolders(options map[string]durable.Options, open opener, together bool, log *slog.Logger) (map[string]*folder, error) {
	names := []string{deadName}
	for _, name := range Names() {
		names = append(names, string(name))
	}
	found, errs := make([]*folder, len(names)), make([]error, len(names))
	var opening sync.WaitGroup
	for i, name := range names {
		opening.Go(func() { found[i], errs[i] = openFolder(name, options[name], open, log) })
		if !together {
			opening.Wait()
		}
	}
	opening.Wait()
	folders, err := map[string]*folder{}, errors.Join(errs...)
	for i, f := range found {
		if f != nil && err != nil {
			f.close() // nothing is in it to be saved
		}
		folders[names[i]] = f
	}
	return folders, err
}

// openFolder returns the log of a lane, open or to be opened as soon as the disk
// lets it. An error is one that waiting does not cure.
func openFolder(name string, opt durable.Options, open opener, log *slog.Logger) (*folder, error) {
	opt.Log = log.With("lane", name)
	ctx, cancel := context.WithCancel(context.Background())
	f := &folder{
		open:   func() (*durable.Log, error) { return open(name, opt) },
		slog:   opt.Log,
		cancel: cancel,
		done:   make(chan struct{}),
		opened: make(chan struct{}),
	}
	if f.log, f.err = f.open(); f.err == nil {
		close(f.opened)
		close(f.done)
		return f, nil
	}
	if errors.Is(f.err, ErrLocked) || errors.Is(f.err, ErrVersion) || errors.Is(f.err, durable.ErrOptions) {
		cancel()
		return nil, f.err
	}
	f.slog.Error("queue cannot be opened, nothing is accepted until the disk lets it", "err", f.err, "retry", retryEvery)
	go f.retry(ctx)
	return f, nil
}

// retry opens the log as soon as that works.
func (f *folder) retry(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		log, err := f.open()
		f.mu.Lock()
		f.log, f.err = log, err
		f.mu.Unlock()
		if err == nil {
			f.slog.Info("queue is open")
			close(f.opened)
			return
		}
	}
}

// get returns the log, or why it is not open.
func (f *folder) get() (*durable.Log, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log, f.err
}

// wait returns the log once it is open.
func (f *folder) wait(ctx context.Context) (*durable.Log, error) {
	select {
	case <-f.opened:
		return f.get()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *folder) close() error {
	f.cancel()
	<-f.done
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.log != nil {
		return f.log.Close()
	}
	if !errors.Is(f.err, ErrClosed) {
		f.err = ErrClosed
		close(f.opened)
	}
	return nil
}
