package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sluice/gateway/durable"
)

// Bounds of what is remembered.
const (
	remembered   = 1000 // results of commands with an id
	segmentBytes = 256 << 10
	journalBytes = 4 << 20 // twice what a thousand of the longest records need
)

// entry is a record of the journal: a command that may be on its way to the
// device, or its result.
type entry struct {
	Topic  string  `json:"topic"`
	ID     string  `json:"id"`
	Result *Result `json:"result,omitempty"`

	seq durable.Seq
}

type key struct{ topic, id string }

// Journal remembers on disk which commands with an id have been carried out, or may
// have been. Its methods may be called from any goroutine; those of a nil Journal
// remember nothing.
type Journal struct {
	log    *durable.Log
	broken error // why there is no log; commands with an id cannot be carried out

	mu      sync.Mutex
	entries map[key]*entry
	order   []key // as they came
	unknown []entry
}

// BrokenJournal returns a journal that can remember nothing, for want of a disk:
// commands with an id fail.
func BrokenJournal(why error) *Journal { return &Journal{broken: why, entries: map[key]*entry{}} }

// OpenJournal opens the journal in a directory, which is made when it is missing.
// What was under way when it was closed, or killed, is unknown from now on.
func OpenJournal(dir string, log *slog.Logger) (*Journal, error) {
	opened, err := durable.Open(dir, durable.Options{
		SegmentBytes: segmentBytes, MaxBytes: journalBytes, CommitDelay: time.Millisecond, WhenFull: durable.DropOldest, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("results of commands: %w", err)
	}
	j := &Journal{log: opened, entries: map[key]*entry{}}
	if err := j.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("results of commands: %w", err), opened.Close())
	}
	return j, nil
}

// load reads the log, and ends what was under way.
func (j *Journal) load() error {
	for r := j.log.NewReader(j.log.Acked()); ; {
		rec, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		e := &entry{seq: rec.Seq}
		if json.Unmarshal(rec.Data, e) == nil {
			j.keep(e)
		}
	}
	for _, k := range j.order {
		if e := j.entries[k]; e.Result == nil {
			r := result(Unknown, "the gateway ended while it was under way")
			r.ID = e.ID
			e.Result = &r
			j.unknown = append(j.unknown, *e)
		}
	}
	return nil
}

// keep takes an entry for the one of its command, and forgets the oldest.
func (j *Journal) keep(e *entry) {
	k := key{e.Topic, e.ID}
	if old := j.entries[k]; old != nil {
		old.Result = e.Result
		return
	}
	j.entries[k] = e
	j.order = append(j.order, k)
	if len(j.order) > remembered {
		delete(j.entries, j.order[0])
		j.order = j.order[1:]
		j.log.Ack(j.entries[j.order[0]].seq)
	}
}

// result returns that of a command that is known; nil: it is not.
func (j *Journal) result(topic, id string) *Result {
	if j == nil || id == "" {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.entries[key{topic, id}]; e != nil {
		return e.Result
	}
	return nil
}

// begin notes that a command may be on its way to its device from now on, and
// returns once that is on disk.
func (j *Journal) begin(ctx context.Context, topic, id string) error {
	if j == nil || id == "" {
		return nil
	}
	return j.write(ctx, &entry{Topic: topic, ID: id})
}

// finish notes the result of a command, and returns once that is on disk. It is
// known in any case until the program ends.
func (j *Journal) finish(topic string, r Result) error {
	if j == nil || r.ID == "" {
		return nil
	}
	return j.write(context.Background(), &entry{Topic: topic, ID: r.ID, Result: &r})
}

func (j *Journal) write(ctx context.Context, e *entry) error {
	if j.broken != nil {
		return j.broken
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	e.seq, err = j.log.Append(text)
	if err != nil && e.Result == nil {
		return err
	}
	j.mu.Lock()
	j.keep(e)
	j.mu.Unlock()
	if err != nil {
		return err
	}
	return j.log.Wait(ctx, e.seq)
}

// takeUnknown returns, once, what was under way when the program ended before.
func (j *Journal) takeUnknown() []entry {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.unknown
	j.unknown = nil
	return all
}

// Close gives the directory back.
func (j *Journal) Close() error {
	if j == nil || j.log == nil {
		return nil
	}
	return j.log.Close()
}
