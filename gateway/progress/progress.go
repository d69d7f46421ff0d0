// Package progress shows from outside whether a loop still turns. Whoever owns a
// loop marks where it begins and ends to work; a watchdog looks at the marks. It
// knows neither.
package progress

import "sync/atomic"

// Turns are the marks of one loop, which alone makes them. Its zero value is a loop
// that waits.
type Turns struct{ n atomic.Uint64 }

// Begin marks that something is about to be done that ends by itself, and soon.
func (t *Turns) Begin() {
	if t.n.Load()%2 == 0 {
		t.n.Add(1)
	}
}

// End marks that it is done: the loop waits, for as long as it may take.
func (t *Turns) End() {
	if t.n.Load()%2 == 1 {
		t.n.Add(1)
	}
}

// Count is odd while something is being done, and another for each time. A loop of
// which the count is odd and stays what it is hangs.
func (t *Turns) Count() uint64 { return t.n.Load() }
