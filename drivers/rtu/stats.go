package rtu

import "sync/atomic"

// Stats counts what happened beside the exchanges themselves.
type Stats struct {
	Canaries     uint64 // sent to units in doubt
	LostCanaries uint64 // not answered
	StrayBytes   uint64 // belonging to no frame
	ForeignBytes uint64 // of whole frames that were not the reply
	EarlyBytes   uint64 // there before a reply could be
}

type counters struct {
	canaries, lostCanaries, stray, foreign, early atomic.Uint64
}

// Stats returns the counts since New; any goroutine may call it.
func (t *Transport) Stats() Stats {
	return Stats{
		Canaries:     t.count.canaries.Load(),
		LostCanaries: t.count.lostCanaries.Load(),
		StrayBytes:   t.count.stray.Load(),
		ForeignBytes: t.count.foreign.Load(),
		EarlyBytes:   t.count.early.Load(),
	}
}
