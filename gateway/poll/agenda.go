package poll

import (
	"time"

	"sluice/mapping"
)

// Pauses between two tries to reach an absent device.
const (
	minPause = time.Second
	maxPause = 10 * time.Second
)

// device is what the poller knows of a device beyond its plan.
type device struct {
	*mapping.Device
	probe    *entry // the block that is tried while the device is offline
	failures int    // exchanges without an answer in a row
	offline  bool
	pause    time.Duration // between the last two tries of an absent device
	probeAt  time.Time
}

func newDevice(d *mapping.Device) *device { return &device{Device: d} }

// cheapest returns the entry of the device whose request asks for the least.
func (d *device) cheapest(entries agenda) *entry {
	var best *entry
	for _, e := range entries {
		if e.device == d && (best == nil || e.block.Request.Count < best.block.Request.Count) {
			best = e
		}
	}
	return best
}

// postpone sets the time of the next try of an absent device: later each time,
// so that dead devices together take little of the bus.
func (d *device) postpone() {
	d.pause = min(max(2*d.pause, minPause), maxPause)
	d.probeAt = time.Now().Add(d.pause)
}

// entry is a block of a device and when it is to be read next.
type entry struct {
	device   *device
	block    *mapping.Block
	every    time.Duration
	slot     time.Time // beginning of the period that is served next
	due      time.Time // when to try: the slot, or later
	failures int       // tries of the current period
	index    int       // place in the agenda
}

// agenda is a heap of entries, the earliest deadline first.
type agenda []*entry

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a agenda) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push is part of heap.Interface.
func (a *agenda) Push(x any) {
	e := x.(*entry)
	e.index = len(*a)
	*a = append(*a, e)
}

// Pop is part of heap.Interface; the agenda never shrinks.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}
