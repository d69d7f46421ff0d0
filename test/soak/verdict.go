package main

import (
	"errors"
	"fmt"
)

// verdict is what became of the messages.
type verdict struct {
	account
	kills, cuts, upstreamKills int

	acknowledged int // by the gateway to publishers
	arrived      int // over the link, with repetitions
	lost         int // acknowledged, and never by upstream
	disordered   int // arrived for the first time behind a later one of the same publisher
	again        int // arrived again, beyond what publishers sent again
	burst        int // bytes that one connection repeated, at most
	conns        int
	upstreamLost int // acknowledged by upstream, and never delivered
}

// judgeRelay holds what was promised against what passed.
func judgeRelay(a *acknowledged, w *witness, s *subscriber, end account) verdict {
	v := verdict{account: end, acknowledged: len(a.safe), arrived: len(w.arrivals), conns: w.conns}
	for m := range a.safe {
		if !w.settled[m] {
			v.lost++
		}
	}
	for m := range w.settled {
		if !s.seen[m] {
			v.upstreamLost++
		}
	}
	v.again = v.arrived - int(end.Appended)
	newest, on, repeated := map[string]int{}, map[id]int{}, map[int]int{}
	for _, m := range w.arrivals {
		switch before := on[m.id]; {
		case before == 0 && m.number < newest[m.publisher]:
			v.disordered++
		case before != 0 && before != m.conn:
			repeated[m.conn] += m.bytes
			v.burst = max(v.burst, repeated[m.conn])
		}
		on[m.id] = m.conn
		newest[m.publisher] = max(newest[m.publisher], m.number)
	}
	return v
}

func (v verdict) String() string {
	return fmt.Sprintf("the gateway was killed %d times, upstream %d times, the link cut %d times\n"+
		"  acknowledged to publishers %d, arrived %d on %d connections\n"+
		"  appended %d = delivered %d + lost %d + dead %d + backlog %d, balance %d\n"+
		"  acknowledged and lost %d, out of order %d, sent again %d (at most %d bytes at once)\n"+
		"  acknowledged by upstream and not delivered by it %d",
		v.kills, v.upstreamKills, v.cuts, v.acknowledged, v.arrived, v.conns,
		v.Appended, v.Delivered, v.Overflow+v.Age+v.Damage, v.Dead, v.Backlog, v.Balance,
		v.lost, v.disordered, v.again, v.burst, v.upstreamLost)
}

// err says what the gateway has promised and not kept. window is what may be sent
// again by each connection.
func (v verdict) err(window int) error {
	var errs []error
	for _, p := range []struct {
		broken bool
		what   string
	}{
		{v.acknowledged == 0, "no publisher got an acknowledgement"},
		{v.lost > 0, "messages were lost"},
		{v.disordered > 0, "messages arrived out of order"},
		{v.Balance != 0, "the account does not add up"},
		{v.Overflow+v.Age+v.Damage+v.Dead+v.Backlog > 0, "not everything that was appended was delivered"},
		{v.again < 0, "more was delivered than arrived"},
		{v.burst > window, fmt.Sprintf("a connection sent more than %d bytes again", window)},
	} {
		if p.broken {
			errs = append(errs, errors.New(p.what))
		}
	}
	return errors.Join(errs...)
}
