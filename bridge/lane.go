package bridge

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"sluice/bridge/queue"
)

// lane is a queue and what was sent of it.
type lane struct {
	*queue.Lane
	name      queue.Name
	rank      int // 0 is the most urgent
	liveFirst bool
	tried     runs // what may have arrived without its PUBACK
	overtaken overtaken
}

// stream is what one connection sends of a lane, in order: all of it from the
// cursor on, or, live first, what comes in from now on; what waited by then is
// another stream, less urgent.
type stream struct {
	*lane
	live    bool
	from    queue.Seq // of a live stream: the first that it may hold
	until   queue.Seq // of what waits behind a live stream: where that begins; else 0
	reader  *queue.Reader
	records chan fed
	empty   atomic.Bool // everything was read
	parcel  parcel      // of pump
}

// fed is what a stream holds next, or why it cannot be read.
type fed struct {
	*stream
	queue.Record
	err error
}

// feeder reads every stream two records ahead and waits for new ones, so that pump
// can wait for several things at once and still take the most urgent first.
type feeder struct {
	streams []*stream // the most urgent first
	more    chan struct{}
	stop    context.CancelFunc
	tasks   sync.WaitGroup
}

// feed begins with what is not settled of the lanes.
func feed(ctx context.Context, lanes []*lane) *feeder {
	ctx, stop := context.WithCancel(ctx)
	f := &feeder{more: make(chan struct{}, 1), stop: stop}
	for _, l := range lanes {
		f.streams = append(f.streams, l.streams()...)
	}
	for _, s := range f.streams {
		s.records = make(chan fed, 1)
		f.tasks.Go(func() { f.read(ctx, s) })
	}
	return f
}

// streams returns the streams of a new connection.
func (l *lane) streams() []*stream {
	acked, end := l.Acked(), l.End()
	l.tried.forget(acked)
	if !l.liveFirst || end <= acked {
		l.overtaken = overtaken{}
		return []*stream{{lane: l, from: acked, reader: l.NewReader()}}
	}
	if l.overtaken.newest == nil { // an earlier process has sent these
		l.overtaken.all = l.Ahead()
	}
	return []*stream{
		{lane: l, live: true, from: end, reader: l.NewLiveReader(end)},
		{lane: l, until: end, from: acked, reader: l.NewReaderFrom(acked)},
	}
}

// end waits until feed has let go of the readers.
func (f *feeder) end() {
	f.stop()
	f.tasks.Wait()
}

// take returns the next record of the most urgent stream that has one, of so many
// lanes. While that is being read there is none: those behind it do not slip past.
func (f *feeder) take(lanes int) (fed, bool) {
	for _, s := range f.of(lanes) {
		select {
		case r := <-s.records:
			return r, true
		default:
		}
		if !s.empty.Load() {
			break
		}
	}
	return fed{}, false
}

// of returns the streams of so many lanes.
func (f *feeder) of(lanes int) []*stream {
	for i, s := range f.streams {
		if s.rank >= lanes {
			return f.streams[:i]
		}
	}
	return f.streams
}

// drained reports whether take has nothing more, nothing is being read, and nothing
// waits for company.
func (f *feeder) drained(lanes int) bool {
	for _, s := range f.of(lanes) {
		if !s.drained() || len(s.parcel.records) > 0 {
			return false
		}
	}
	return true
}

func (s *stream) drained() bool { return len(s.records) == 0 && s.empty.Load() }

// read fills one stream's channel until it has ended, there is an error, or ctx
// ends.
func (f *feeder) read(ctx context.Context, s *stream) {
	for from := s.from; ; {
		r, err := f.next(ctx, s, from)
		if err == nil && r.Gap == nil && r.Seq < s.Acked() {
			from = r.Seq + 1 // it went ahead on an earlier connection, and all before it has followed
			continue
		}
		if err == nil && s.until > 0 && r.Seq >= s.until {
			s.empty.Store(true)
			f.signal()
			return
		}
		select {
		case s.records <- fed{s, r, err}:
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

// next returns the next record, which is from or, where records were lost, a
// later one. It waits until there is one.
func (f *feeder) next(ctx context.Context, s *stream, from queue.Seq) (queue.Record, error) {
	for {
		r, ok, err := s.reader.Next()
		if ok {
			return r, nil
		}
		if err == nil {
			s.empty.Store(true)
			f.signal()
			err = s.WaitFor(ctx, from)
			s.empty.Store(false)
		}
		if err != nil {
			return queue.Record{}, fmt.Errorf("read queue %s: %w", s.name, err)
		}
	}
}
