package durable

import "context"

// Promise is the end of a commit that several wait for: of what a user of the log
// collects before it appends.
type Promise struct {
	done chan struct{}
	err  error
}

// NewPromise returns one that has not ended.
func NewPromise() *Promise { return &Promise{done: make(chan struct{})} }

// End tells those who wait that all of it is on the medium, or why it is not. It is
// called once.
func (p *Promise) End(err error) {
	p.err = err
	close(p.done)
}

// Wait blocks until End, or until ctx ends, and returns why. It may be called more
// than once, or never.
func (p *Promise) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
