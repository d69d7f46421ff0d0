package bridge

import (
	"context"
	"fmt"

	"sluice/bridge/queue"
)

// fed is what the lane holds next, or why it cannot be read.
type fed struct {
	queue.Record
	err error
}

// feed reads the lane one record ahead and waits for new ones, so that pump can
// wait for several things at once. It has the reader to itself until the channel
// is closed, which happens after an error or once ctx has ended.
func (b *Bridge) feed(ctx context.Context, reader *queue.Reader) <-chan fed {
	records := make(chan fed)
	go func() {
		defer close(records)
		for from := b.lane.Acked(); ; {
			r, err := b.next(ctx, reader, from)
			select {
			case records <- fed{r, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			from = r.Seq + 1
		}
	}()
	return records
}

// next returns the next record, which is from or, where records were lost, a
// later one. It waits until there is one.
func (b *Bridge) next(ctx context.Context, reader *queue.Reader, from queue.Seq) (queue.Record, error) {
	for {
		r, ok, err := reader.Next()
		if ok && r.Gap == nil {
			return r, nil
		}
		if ok {
			continue // upstream is not told of losses yet
		}
		if err == nil {
			err = b.lane.WaitFor(ctx, from)
		}
		if err != nil {
			return queue.Record{}, fmt.Errorf("read queue: %w", err)
		}
	}
}
