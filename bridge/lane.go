package bridge

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/bridge/queue"
)

// lane is a queue and how far it was sent.
type lane struct {
	*queue.Lane
	name    queue.Name
	reader  *queue.Reader
	highest queue.Seq // ever sent

	// Of the present connection.
	records chan fed
	empty   atomic.Bool // everything was read
}

// fed is what a lane holds next, or why it cannot be read.
type fed struct {
	lane *lane
	queue.Record
	err error
}

// feeder reads every lane two records ahead and waits for new ones, so that pump
// can wait for several things at once and still take the most urgent first.
type feeder struct {
	lanes []*lane
	more  chan struct{} // a lane has something
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

// feed begins with what the cursors of the lanes point to. It has the readers to
// itself until end.
func feed(ctx context.Context, lanes []*lane) *feeder {
	ctx, stop := context.WithCancel(ctx)
	f := &feeder{lanes: lanes, more: make(chan struct{}, 1), stop: stop}
	for _, l := range lanes {
		l.records = make(chan fed, 1)
		l.empty.Store(false)
		f.tasks.Go(func() { f.read(ctx, l) })
	}
	return f
}

// end waits until feed has let go of the readers.
func (f *feeder) end() {
	f.stop()
	f.tasks.Wait()
}

// take returns the next record of the most urgent lane that has one. While that is
// being read there is none: those behind it do not slip past.
func (f *feeder) take() (fed, bool) {
	for _, l := range f.lanes {
		select {
		case r := <-l.records:
			return r, true
		default:
		}
		if !l.empty.Load() {
			break
		}
	}
	return fed{}, false
}

// read fills one lane's channel until there is an error, or ctx ends.
func (f *feeder) read(ctx context.Context, l *lane) {
	l.rewind()
	for from := l.Acked(); ; {
		r, err := f.next(ctx, l, from)
		select {
		case l.records <- fed{l, r, err}:
		case <-ctx.Done():
			return
		}
		f.signal()
		if err != nil {
			return
		}
		from = r.Seq + 1
	}
}

// signal makes pump look again.
func (f *feeder) signal() {
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// rewind goes back to the first record that is not acknowledged.
func (l *lane) rewind() {
	if l.reader == nil {
		l.reader = l.NewReader()
	}
	l.reader.Rewind()
}

// next returns the next record, which is from or, where records were lost, a
// later one. It waits until there is one.
func (f *feeder) next(ctx context.Context, l *lane, from queue.Seq) (queue.Record, error) {
	for {
		r, ok, err := l.reader.Next()
		if ok {
			return r, nil
		}
		if err == nil {
			l.empty.Store(true)
			f.signal()
			err = l.WaitFor(ctx, from)
			l.empty.Store(false)
		}
		if err != nil {
			return queue.Record{}, fmt.Errorf("read queue %s: %w", l.name, err)
		}
	}
}
