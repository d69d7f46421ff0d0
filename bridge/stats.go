package bridge

import (
	"errors"
	"time"

	"sluice/bridge/queue"
)

// Stats is a snapshot of a bridge. Counters begin with the process.
type Stats struct {
	Connected bool      // upstream has acknowledged the birth
	Since     time.Time // when Connected last changed
	Conn      uint64    // sessions tried
	Way       int       // of the last connection: 0 is the first broker, 1 the first of Failover

	Sent      uint64 // messages and reports of lost ones, handed to a session
	Delivered uint64 // those with their PUBACK
	Late      uint64 // part of Sent that went to the topic of late messages
	Resent    uint64 // part of Sent that went out before: at most as many arrived twice

	Straight uint64 // messages of rules that send straight, handed to a session
	Missed   uint64 // those for which there was no connection, or no room

	Received uint64 // messages from upstream that the local broker has
	Echoes   uint64 // messages from upstream that this gateway had sent there
	Refused  uint64 // messages from upstream that the local broker did not take

	Reconnects uint64 // births acknowledged after the first
	Stalls     uint64 // connections given up because no PUBACK came
	Probes     uint64 // inquiries into a silence
	Fades      uint64 // silences that the connection survived although another way was found

	InFlight      int // messages sent and not acknowledged
	InFlightBytes int
	Window        int // how many bytes may be in flight

	RTT, RTTMin time.Duration // smoothed and shortest time to a PUBACK on this connection
	Rate        int           // bytes per second that were acknowledged when there was enough to send; 0: not known

	BudgetUsed, Budget int64 // bytes of this month, and how many there are; 0: no limit

	LastError   string // why the last connection failed or ended
	LastErrorAt time.Time

	Lanes []LaneStats // the most urgent first
}

// LaneStats is the account of a lane.
type LaneStats struct {
	Name queue.Name
	queue.Stats
}

// Backlog is how many messages wait in all lanes.
func (s Stats) Backlog() (n uint64) {
	for _, l := range s.Lanes {
		n += l.Backlog
	}
	return n
}

// Stats returns a snapshot; it may be called at any time.
func (b *Bridge) Stats() Stats {
	b.mu.Lock()
	s := b.stats
	b.mu.Unlock()
	if b.cfg.Budget != nil {
		s.BudgetUsed, s.Budget = b.cfg.Budget.Used()
	}
	for _, l := range b.lanes {
		s.Lanes = append(s.Lanes, LaneStats{l.name, l.Stats()})
	}
	return s
}

func (b *Bridge) update(f func(*Stats)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.stats)
}

// connected takes note of an acknowledged birth.
func (l *link) connected(reason string) {
	l.update(func(s *Stats) {
		s.Connected, s.Since, s.Way = true, time.Now(), l.ways.at
		if l.born {
			s.Reconnects++
		}
		l.show(s)
	})
	l.born, l.bornAt, l.told = true, l.ways.at, ""
	l.log.Info("upstream connected", "reason", reason, "conn", l.conn, "way", l.ways.at, "backlog", l.Bridge.Stats().Backlog())
	if l.cfg.Born != nil {
		l.cfg.Born()
	}
}

// disconnected takes note that the connection is closed.
func (l *link) disconnected() {
	l.flights = nil
	l.update(func(s *Stats) {
		l.said = nil
		if s.Connected {
			s.Connected, s.Since = false, time.Now()
		}
		s.InFlight, s.InFlightBytes = 0, 0
		l.endStraight(s)
	})
}

// failed takes note of why there is no connection, and logs it when it is news.
// What is behind two errors counts: around it stand ports and times that differ.
func (b *Bridge) failed(err error) {
	b.update(func(s *Stats) { s.LastError, s.LastErrorAt = err.Error(), time.Now() })
	if cause := innermost(err).Error(); cause != b.told {
		b.log.Warn("no connection to upstream", "err", err)
		b.told = cause
	}
}

func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
