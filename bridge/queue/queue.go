// Package queue is the way of messages through an outage: one queue holds the
// messages of one bridge on flash, in lanes that do not wait for each other, with
// an account of what became of each. The bridge appends and reads; the package
// knows neither rules nor connections, and leaves the disk to gateway/durable.
package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"sluice/gateway/durable"
)

// Name is the name of a lane.
type Name string

// The lanes of every queue. Each is first in, first out, with limits of its own.
const (
	Alarm     Name = "alarm"     // little, committed at once, with disk set aside for it
	Telemetry Name = "telemetry" // what no rule puts elsewhere
	Bulk      Name = "bulk"      // can wait
)

// Names returns the lanes, the most urgent first.
func Names() []Name { return []Name{Alarm, Telemetry, Bulk} }

// WhenFull says what a lane does with a message that it has no room for.
type WhenFull = durable.WhenFull

// The policies at the limit.
const (
	Reject     = durable.Reject     // Append returns ErrFull
	DropOldest = durable.DropOldest // the oldest messages go, about 1 MiB at a time, and are counted
)

// Errors that callers branch on.
var (
	ErrFull     = durable.ErrFull
	ErrTooLarge = durable.ErrTooLarge
	ErrClosed   = durable.ErrClosed
	ErrLocked   = durable.ErrLocked
	ErrVersion  = durable.ErrVersion
)

// Config of a queue. A lane that is not in Lanes has the defaults.
type Config struct {
	Dir   string // made when it is missing; a folder in it for each lane
	Lanes map[Name]Limits

	// Epochs gives each message that comes in an epoch, 8 bytes on flash: drawn at
	// random when a lane is opened, so that no other message of the lane ever has the
	// same epoch and number, also not in a copy that was restored.
	Epochs bool
}

// Limits of a lane; the zero value of each field means its default.
type Limits struct {
	MaxBytes    int64         // bound on flash, at least 4 MiB (256 MiB)
	Reserve     int64         // part of MaxBytes that is set aside on flash from the start (0: 1 MiB ahead of need)
	Keep        time.Duration // messages older than this are dropped, about 1 MiB at a time (0: none is)
	CommitDelay time.Duration // longest wait of a message for its commit: latency against wear (200 ms)
	WhenFull    WhenFull
}

// Queue is the lanes of one bridge and its dead letters.
type Queue struct {
	lanes map[Name]*Lane
	dead  *folder
}

// deadName is the folder of the messages that upstream does not take.
const deadName = "dead"

// Open opens the queue in cfg.Dir. It fails when another process has it open, or
// a version that this one does not know wrote it. What the disk refuses, now or
// later, is tried again until it works: meanwhile that lane takes nothing, and is
// never taken for empty.
func Open(cfg Config, log *slog.Logger) (*Queue, error) {
	if err := checkLayout(cfg.Dir); err != nil {
		return nil, err
	}
	return open(cfg, func(name string, opt durable.Options) (*durable.Log, error) {
		path := filepath.Join(cfg.Dir, name)
		opt.Log = opt.Log.With("folder", path)
		return durable.Open(path, opt)
	}, true, log)
}

// OpenFS opens a queue whose folders, one for each lane and "dead", are what
// folder returns, one after the other. It is for tests that need a disk that fails.
func OpenFS(cfg Config, folder func(name string) durable.FS, log *slog.Logger) (*Queue, error) {
	return open(cfg, func(name string, opt durable.Options) (*durable.Log, error) {
		return durable.OpenFS(folder(name), opt)
	}, false, log)
}

type opener func(name string, opt durable.Options) (*durable.Log, error)

func open(cfg Config, open opener, together bool, log *slog.Logger) (*Queue, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := map[string]durable.Options{deadName: {
		SegmentBytes: deadSegment, MaxBytes: deadBytes, CommitDelay: time.Millisecond, WhenFull: DropOldest,
	}}
	for _, name := range Names() {
		l := cfg.Lanes[name]
		options[string(name)] = durable.Options{
			MaxBytes: l.MaxBytes, Reserve: l.Reserve, Keep: l.Keep, CommitDelay: l.CommitDelay, WhenFull: l.WhenFull,
		}
	}
	folders, err := openFolders(options, open, together, log)
	if err != nil {
		return nil, err
	}
	q := &Queue{lanes: map[Name]*Lane{}, dead: folders[deadName]}
	for _, name := range Names() {
		q.lanes[name] = newLane(name, folders[string(name)], q.dead, cfg.Epochs)
	}
	return q, nil
}

// checkLayout refuses what earlier versions left: files where now the folders of
// the lanes are.
func checkLayout(dir string) error {
	old, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	if len(old) > 0 {
		return fmt.Errorf("%w: %s was left by an earlier version; let that version send it, or move it away", ErrVersion, dir)
	}
	return nil
}

// Lane returns a lane; there is no other than those of Names.
func (q *Queue) Lane(name Name) *Lane {
	l, ok := q.lanes[name]
	if !ok {
		panic(fmt.Sprintf("queue: no lane %q", name))
	}
	return l
}

// Close commits what is pending and ends all lanes.
func (q *Queue) Close() error {
	errs := []error{q.dead.close()}
	for _, l := range q.lanes {
		errs = append(errs, l.folder.close())
	}
	return errors.Join(errs...)
}
