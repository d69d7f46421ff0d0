package outage

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/queue"
	"sluice/test/link"
	"sluice/test/remote"
)

var (
	away     = flag.Duration("outage", time.Hour, "how long upstream is away before the first connection")
	drainAll = flag.Bool("drain", false, "wait until all of that has arrived, over a link of 1 Mbit/s")
)

const (
	burst  = 200 // messages of the site
	period = 10 * time.Second
	pause  = 200 * time.Millisecond // for the commit, and to fill a packet
)

// TestLiveFirst: after an outage with 200 messages per 10 s the first new one is
// upstream within a round trip, all 200 within the time that the link takes for
// them beside it; the backlog drains behind them, in order, marked. The first 200,
// with which the sender finds the limit of the link, are there within 5 s.
func TestLiveFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := link.Config{Rate: 8000, RTT: 600 * time.Millisecond}
		if *drainAll {
			c.Rate = 125_000
		}
		l := newLiveSite(t, c)
		l.link.Fail(link.Reset)
		l.start()
		l.publishFor(*away)
		l.link.Restore()
		for !l.bridge.Stats().Connected {
			time.Sleep(100 * time.Millisecond)
		}
		l.live = l.next
		l.publishFor(10 * time.Minute)
		if *drainAll && !l.drained(24*time.Hour) {
			t.Error("never drained")
		}
		l.check()
		l.end(false)
		l.link.Close()
	})
}

// liveSite is a world that publishes on one topic, sent live first.
type liveSite struct {
	*world
	config link.Config
	next   uint32 // message
	live   uint32 // the first that upstream was there for
	begun  map[uint32]time.Time
}

func newLiveSite(t *testing.T, c link.Config) *liveSite {
	l := &liveSite{world: newWorld(t, 1, c), config: c, next: 1, begun: map[uint32]time.Time{}}
	l.liveFirst(queue.Telemetry)
	l.limits[queue.Telemetry] = queue.Limits{MaxBytes: 512 << 20, CommitDelay: 50 * time.Millisecond}
	l.broker.Judge = func(m remote.Message) remote.Verdict {
		l.arrived(m)
		return remote.Acknowledge
	}
	return l
}

func (l *liveSite) publishFor(d time.Duration) {
	for range int(d / period) {
		l.begun[l.next] = time.Now()
		for range burst {
			l.publish(id{queue.Telemetry, l.next}, 60)
			l.next++
		}
		time.Sleep(period)
	}
}

// check: every arrival is the next of the backlog or the next live one, and in
// time. What waits is marked as late once a live message has gone before it.
func (l *liveSite) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	live, old := l.live, uint32(1)
	var begin, first, last time.Duration // that all of the first burst took, and the first and the last of the others
	for _, a := range l.arrivals {
		switch {
		case a.number == live && !a.late:
			took := a.at.Sub(l.begun[live-(live-l.live)%burst])
			switch place := live - l.live; {
			case place < burst:
				begin = took
			case place%burst == 0:
				first = max(first, took)
			default:
				last = max(last, took)
			}
			live++
		case a.number == old && a.late == (live > l.live):
			old++
		default:
			l.Errorf("%d arrived, late: %v; next were %d live, %d of the backlog", a.number, a.late, live, old)
			return
		}
	}
	serial := burst * 83 * time.Second / time.Duration(l.config.Rate) // with headers
	if trip := l.config.RTT + pause; live != l.next || begin > period/2 || first > trip || last > trip+serial {
		l.Errorf("%d live messages arrived, the first burst within %v, the first of others within %v, the last within %v (%v)", live-l.live, begin, first, last, serial)
	}
	if old == 1 || *drainAll && old != l.live {
		l.Errorf("%d of %d messages of the backlog arrived", old-1, l.live-1)
	}
	l.Logf("of %d live messages the first burst took %v, the first of others %v, the last %v; %d of %d old ones arrived", live-l.live, begin, first, last, old-1, l.live-1)
}
