package bus

import (
	"slices"
	"sync"
	"time"

	"sluice/drivers/modbus"
)

// Bounds divide exchanges by their length: each counts in the first that it does not
// exceed, or behind the last.
var Bounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
}

// Stats is what a bus has done since New.
type Stats struct {
	Exchanges uint64                         // requests performed, answered or not
	Faults    [modbus.Unsupported + 1]uint64 // of those, by modbus.Fault; None counts the good ones
	// Busy is the time the line was not free for another request. The load of a
	// line is what Busy grows by in a second.
	Busy      time.Duration
	Took      [len(Bounds) + 1]uint64 // exchanges by how long the line was not free for others, see Bounds
	Opens     uint64                  // times the port was opened
	Open      bool
	LastError error // why the port was last lost or not opened, kept after it came back
}

// ledger keeps the Stats of one bus.
type ledger struct {
	mu    sync.Mutex
	stats Stats
}

func (l *ledger) snapshot() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

func (l *ledger) exchanged(busy time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Exchanges++
	l.stats.Faults[modbus.FaultOf(err)]++
	l.stats.Busy += busy
	i, _ := slices.BinarySearch(Bounds[:], busy)
	l.stats.Took[i]++
}

// spent notes time on the wire that answered nobody.
func (l *ledger) spent(busy time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Busy += busy
}

// opened reports whether the port was down before.
func (l *ledger) opened() (again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Opens++
	l.stats.Open = true
	return l.stats.LastError != nil
}

// news is what a failure adds to what is known.
type news uint8

const (
	nothing news = iota
	lost         // the port was open, or nothing was known
	changed      // it was down for another reason
)

// failed notes that the port is down.
func (l *ledger) failed(err error) news {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.stats
	l.stats.Open, l.stats.LastError = false, err
	switch {
	case was.Open || was.LastError == nil:
		return lost
	case was.LastError.Error() != err.Error():
		return changed
	default:
		return nothing
	}
}
