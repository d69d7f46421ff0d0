package queue

import (
	"time"

	"sluice/gateway/durable"
)

// Stats is a snapshot of the account of a lane. Messages are counted since the
// lane was created: Appended = Delivered + Lost + Backlog at any time.
type Stats struct {
	Appended  uint64
	Delivered uint64
	Lost      uint64 // Overflow + Damage
	Overflow  uint64 // dropped at the limit
	Damage    uint64 // could not be read any more
	Backlog   uint64

	BacklogBytes int64     // exact to about 1 MiB
	OldestAt     time.Time // of the first message of the backlog; zero when there is none
	LastLoss     durable.Loss
	Failed       error // why nothing can be written at present

	// Since the lane was opened:
	Refused    uint64 // messages that Append did not take
	FlashBytes uint64 // given to flash
	Syncs      uint64
}

// Stats returns the account. It may read one record.
func (l *Lane) Stats() Stats {
	s := l.log.Stats()
	return Stats{
		Appended:     s.Appended,
		Delivered:    s.Delivered,
		Lost:         s.Overflow + s.Damage,
		Overflow:     s.Overflow,
		Damage:       s.Damage,
		Backlog:      s.Backlog,
		BacklogBytes: s.BacklogBytes,
		OldestAt:     l.oldest.at(l.log),
		LastLoss:     s.LastLoss,
		Failed:       s.Failed,
		Refused:      s.Refused,
		FlashBytes:   s.Bytes,
		Syncs:        s.Syncs,
	}
}
