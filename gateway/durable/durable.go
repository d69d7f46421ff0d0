// Package durable keeps bytes through power cuts: a segmented log with group
// commit, on which the queues of the bridge stand, and atomic replacement of
// small files. FORMAT.md is its contract with the disk. It knows nothing of
// messages or topics.
//
// One goroutine of a Log, the committer, writes to the disk and changes its
// directory; it owns the store. What appenders, readers and the committer
// share is in the Log itself, under one mutex that is never held during I/O.
package durable

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Seq numbers the records of a log: the first is 1, and none is left out.
type Seq uint64

// Record is one record of a log.
type Record struct {
	Seq  Seq
	Data []byte
}

// WhenFull says what a log does when it has no room for a record.
type WhenFull uint8

const (
	Reject     WhenFull = iota // Append returns ErrFull
	DropOldest                 // the oldest segment goes, and its records are counted as lost
)

// Errors that callers branch on.
var (
	ErrFull     = errors.New("queue is full")
	ErrTooLarge = errors.New("record is too large for the queue")
	ErrClosed   = errors.New("queue is closed")
	ErrLocked   = errors.New("queue is open elsewhere")
	ErrVersion  = errors.New("queue has a format of an unknown version")
	ErrOptions  = errors.New("queue cannot be as it is asked for")
)

const (
	minSegmentBytes = 8 * page
	maxSegmentBytes = 1 << 30
	minSegments     = 4
	noteEvery       = 10 * time.Millisecond // shortest time between two notes of the cursor
	retryEvery      = 5 * time.Second       // a disk that failed or was full is tried again this often
)

// Options of a log; the zero value of each field means its default.
type Options struct {
	SegmentBytes int64         // size of a segment file, a multiple of 4096 (1 MiB)
	MaxBytes     int64         // bound on all segment files together, at least four (256 MiB)
	CommitDelay  time.Duration // longest wait of a record for its commit (200 ms)
	CommitBytes  int           // commit sooner when so much waits; at most an eighth of a segment (64 KiB)
	CursorEvery  time.Duration // longest stay of an acknowledgement in memory only (5 s)
	WhenFull     WhenFull
	Reserve      int64         // bytes of MaxBytes that are on the medium from the start (0: one segment ahead)
	Keep         time.Duration // records older than this are dropped, segment by segment (0: none is)
	Log          *slog.Logger  // silent when nil
}

func (o Options) withDefaults() (Options, error) {
	o.SegmentBytes = orDefault(o.SegmentBytes, 1<<20)
	o.MaxBytes = orDefault(o.MaxBytes, 256<<20)
	o.CommitDelay = orDefault(o.CommitDelay, 200*time.Millisecond)
	o.CommitBytes = orDefault(o.CommitBytes, 64<<10)
	o.CursorEvery = orDefault(o.CursorEvery, 5*time.Second)
	o.Log = orDefault(o.Log, slog.New(slog.DiscardHandler))
	o.CommitBytes = min(o.CommitBytes, int(o.SegmentBytes/8))
	switch {
	case o.SegmentBytes%page != 0 || o.SegmentBytes < minSegmentBytes || o.SegmentBytes > maxSegmentBytes:
		return o, fmt.Errorf("%w: segment size %d is not a multiple of %d from %d to %d",
			ErrOptions, o.SegmentBytes, page, minSegmentBytes, maxSegmentBytes)
	case o.MaxBytes < minSegments*o.SegmentBytes:
		return o, fmt.Errorf("%w: limit of %d bytes is less than %d segments of %d", ErrOptions, o.MaxBytes, minSegments, o.SegmentBytes)
	case o.Reserve > o.MaxBytes:
		return o, fmt.Errorf("%w: reservation of %d bytes is above the limit of %d", ErrOptions, o.Reserve, o.MaxBytes)
	case o.CommitDelay < 0 || o.CommitBytes < 0 || o.CursorEvery < 0 || o.Reserve < 0 || o.Keep < 0:
		return o, fmt.Errorf("%w: negative commit delay, commit size, cursor interval, reservation or age", ErrOptions)
	}
	return o, nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// maxRecord leaves room in a fresh segment for everything that may be pending:
// twice CommitBytes and one record.
func (o Options) maxRecord() int { return int(o.SegmentBytes / 4) }

// minFiles are kept, in use or not, once there was room for them.
func (o Options) minFiles() int { return int(o.Reserve / o.SegmentBytes) }

func (o Options) maxFiles() int { return int(o.MaxBytes / o.SegmentBytes) }
