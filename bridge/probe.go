package bridge

import (
	"context"
	"time"
)

// A connection that owes PUBACKs and is silent is either dead, with nobody left
// to say so, or waits for a link that fades. To drop it at once would turn each
// fade into duplicates and a new handshake; to wait for keepalive or TCP costs
// minutes. So a second way is dialled: while there is none the link is down and
// the connection is kept; once there is one, the connection has a good round trip
// to move, or is dropped for it.
const (
	probeAgain  = time.Second            // after a probe that found no way
	verdictTime = 500 * time.Millisecond // beside one and a half round trips
)

// probe is the state of this inquiry. Its zero value means that there is none.
type probe struct {
	begun  time.Time
	cancel context.CancelFunc // of the attempt under way
	result chan probed        // of the same
	path   Path               // found, and open
	wait   time.Time          // the next step comes no sooner
}

type probed struct {
	path Path
	err  error
}

// due is when the next step has to be taken.
func (p *probe) due(doubt, progress time.Time) time.Time {
	switch {
	case p.result != nil:
		return progress.Add(maxPatience)
	case p.path == nil && doubt.After(p.wait):
		return doubt
	default:
		return p.wait
	}
}

// look takes that step. It reports true when the connection has to be given up.
func (l *link) look(ctx context.Context) bool {
	switch p := &l.probe; {
	case time.Since(l.meter.progress) >= maxPatience:
		return true
	case p.path == nil:
		l.startProbe(ctx)
		return false
	case l.progressed:
		l.spare, p.path = p.path, nil
		return true
	default: // an upstream that never acknowledged a thing is not approached again at once
		return true
	}
}

func (l *link) startProbe(ctx context.Context) {
	dialing, cancel := context.WithTimeout(ctx, l.cfg.DialTime)
	result := make(chan probed, 1)
	l.probe = probe{begun: time.Now(), cancel: cancel, result: result}
	l.update(func(s *Stats) { s.Probes++ })
	go func() {
		path, err := l.ways.dial(dialing)
		result <- probed{path, err}
	}()
}

// answered takes the result of an attempt.
func (l *link) answered(r probed) {
	p := &l.probe
	p.cancel()
	p.result, p.path = nil, r.path
	switch {
	case r.err != nil:
		p.wait = time.Now().Add(probeAgain)
	case l.meter.progress.After(p.begun):
		l.faded()
	default:
		p.wait = time.Now().Add(verdictTime + l.meter.rttMin*3/2)
	}
}

// faded ends an inquiry that the connection has survived.
func (l *link) faded() {
	l.update(func(s *Stats) { s.Fades++ })
	l.endProbe()
}

// endProbe waits for an attempt under way and closes what was found.
func (l *link) endProbe() {
	p := &l.probe
	if p.result != nil {
		p.cancel()
		p.path = (<-p.result).path
	}
	if p.path != nil {
		p.path.Close()
	}
	*p = probe{}
}
