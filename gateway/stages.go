package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// task is a long-lived part of the gateway. Run returns nil only after its
// context was cancelled; any other return ends the gateway.
type task interface {
	fmt.Stringer
	Run(ctx context.Context) error
}

// readier is a task that later stages wait for.
type readier interface {
	Ready() <-chan struct{}
}

// stage is tasks that start and stop together.
type stage []task

// runStages starts the stages in order, each once the one before is ready, and
// calls ready when all are. When ctx is cancelled or a task fails it stops them
// in reverse order, each after the one behind it has returned, so that what is
// on its way reaches the queue.
func runStages(ctx context.Context, log *slog.Logger, ready func(), stages ...stage) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running []*runningStage
	for _, s := range stages {
		r := start(context.WithoutCancel(ctx), s, stop, log)
		running = append(running, r)
		if !r.awaitReady(ctx) {
			break
		}
	}
	if ctx.Err() == nil {
		ready()
	}
	<-ctx.Done()
	var errs []error
	for i := len(running) - 1; i >= 0; i-- {
		errs = append(errs, running[i].stop())
	}
	return errors.Join(errs...)
}

// runningStage is a stage whose tasks have been started.
type runningStage struct {
	stage
	cancel context.CancelFunc
	done   sync.WaitGroup
	errs   []error // of each task, nil after an ordinary stop
}

// start runs the tasks of a stage; failed is called when one of them ends by
// itself.
func start(ctx context.Context, s stage, failed func(), log *slog.Logger) *runningStage {
	r := &runningStage{stage: s, errs: make([]error, len(s))}
	ctx, r.cancel = context.WithCancel(ctx)
	for i, t := range s {
		r.done.Go(func() {
			err := t.Run(ctx)
			if err == nil && ctx.Err() == nil {
				err = errDeserted
			}
			if err != nil {
				r.errs[i] = fmt.Errorf("%s: %w", t, err)
				failed()
			}
			log.Debug("stopped", "task", t.String())
		})
	}
	return r
}

var errDeserted = errors.New("stopped by itself")

// awaitReady waits until every task of the stage is ready; false means that ctx
// ended first.
func (r *runningStage) awaitReady(ctx context.Context) bool {
	for _, t := range r.stage {
		w, ok := t.(readier)
		if !ok {
			continue
		}
		select {
		case <-w.Ready():
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// stop ends the tasks and returns what went wrong with them.
func (r *runningStage) stop() error {
	r.cancel()
	r.done.Wait()
	return errors.Join(r.errs...)
}
