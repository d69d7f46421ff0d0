package bus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sluice/drivers/modbus"
)

// maxWaiting bounds the requests of one priority that wait. A line serves some
// tens in a second: whoever finds as many waiting should slow down.
const maxWaiting = 256

var errFull = errors.New("too many requests wait for the bus")

// job is a request that waits for the line, or is on it.
type job struct {
	ctx      context.Context // asked at the moment the request would go out
	priority Priority
	request  modbus.Request
	timing   modbus.Timing
	done     chan outcome // has room, so that nobody waits for an abandoned caller
}

type outcome struct {
	response Response
	err      error
}

func newJob(ctx context.Context, p Priority, req modbus.Request, t modbus.Timing) *job {
	req.Data = slices.Clone(req.Data) // an abandoned caller may go on to change it
	return &job{ctx: ctx, priority: p, request: req, timing: t, done: make(chan outcome, 1)}
}

// fail answers a job that has not gone out.
func (j *job) fail(err error) {
	j.done <- outcome{err: &modbus.Error{Fault: modbus.Medium, Unit: j.request.Unit, Err: modbus.NotSent(err)}}
}

// queue holds the jobs of one bus. A command whose unit is in doubt keeps its
// place and is passed over; a poll is answered that it came too early.
type queue struct {
	changed chan struct{} // a job came, or all are to be looked at again

	mu      sync.Mutex
	waiting [2][]*job // by priority, oldest first
	closed  error
}

func newQueue() *queue { return &queue{changed: make(chan struct{}, 1)} }

// add puts j behind those that wait.
func (q *queue) add(j *job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := &modbus.Error{Unit: j.request.Unit}
	switch {
	case q.closed != nil:
		e.Fault, e.Err = modbus.Medium, q.closed
		return e
	case len(q.waiting[j.priority]) >= maxWaiting:
		e.Fault, e.Err = modbus.Busy, errFull
		return e
	}
	q.waiting[j.priority] = append(q.waiting[j.priority], j)
	select {
	case q.changed <- struct{}{}:
	default:
	}
	return nil
}

// take removes the first job whose unit may be asked now. When there is none, at
// is the time of the first command that will be; zero if none waits.
func (q *queue) take(notBefore func(modbus.UnitID) time.Time) (j *job, at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	q.turnAway(notBefore, now)
	for p := range q.waiting {
		for i, j := range q.waiting[p] {
			switch free := notBefore(j.request.Unit); {
			case j.ctx.Err() != nil: // its caller is about to remove it
			case !free.After(now):
				q.waiting[p] = slices.Delete(q.waiting[p], i, i+1)
				return j, time.Time{}
			case at.IsZero() || free.Before(at):
				at = free
			}
		}
	}
	return nil, at
}

// turnAway answers the polls whose unit is in doubt.
func (q *queue) turnAway(notBefore func(modbus.UnitID) time.Time, now time.Time) {
	q.waiting[Poll] = slices.DeleteFunc(q.waiting[Poll], func(j *job) bool {
		until := notBefore(j.request.Unit)
		if !until.After(now) {
			return false
		}
		j.done <- outcome{err: &InDoubt{j.request.Unit, until}}
		return true
	})
}

// putBack returns a job that was taken to the front.
func (q *queue) putBack(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.ctx.Err() != nil {
		j.done <- outcome{err: modbus.NotSent(context.Cause(j.ctx))}
		return
	}
	q.waiting[j.priority] = slices.Insert(q.waiting[j.priority], 0, j)
}

// abandon removes a job that nobody waits for any more, and reports whether it was
// still waiting.
func (q *queue) abandon(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting[j.priority], j)
	if i >= 0 {
		q.waiting[j.priority] = slices.Delete(q.waiting[j.priority], i, i+1)
	}
	return i >= 0
}

// fail answers all jobs.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for p, jobs := range q.waiting {
		for _, j := range jobs {
			j.fail(err)
		}
		q.waiting[p] = nil
	}
}

// close answers all jobs, and those to come.
func (q *queue) close(err error) {
	q.mu.Lock()
	q.closed = err
	q.mu.Unlock()
	q.fail(err)
}
