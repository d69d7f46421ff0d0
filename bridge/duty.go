package bridge

import (
	"context"
	"sync"
	"time"

	"sluice/bridge/budget"
)

// Duty says when a bridge is connected at all.
type Duty struct {
	// Needed connects only while something waits, and hangs up once it was
	// acknowledged and nothing came for Linger.
	Needed bool
	Linger time.Duration

	// Next returns the first minute after a time in which a slot begins: the lanes
	// but alarm are sent in slots only, once each, for Slot at most. nil: at any time.
	Next func(time.Time) time.Time
	Slot time.Duration
}

// review is how long what a clock and a budget permit is taken for granted.
const review = 10 * time.Second

// permit is what may be sent.
type permit struct {
	lanes int       // the most urgent ones
	lazy  bool      // connect only while something of them waits
	until time.Time // it holds no longer
}

// permitted returns what may be sent now.
func (b *Bridge) permitted(now time.Time) permit {
	if !now.Before(b.permit.until) || b.permit.until.Sub(now) > review {
		b.permit = b.judge(now)
	}
	return b.permit
}

func (b *Bridge) judge(now time.Time) permit {
	d := b.cfg.Duty
	p := permit{lanes: len(b.lanes), lazy: d.Needed || d.Next != nil, until: now.Add(review)}
	if d.Next != nil {
		began := now.Add(-d.Slot)
		if b.slotDone.After(began) && !b.slotDone.After(now) {
			began = b.slotDone
		}
		begins := d.Next(began)
		if begins.After(now) {
			p.lanes = 1
		} else {
			begins = begins.Add(d.Slot)
		}
		if begins.Before(p.until) && begins.After(now) {
			p.until = begins
		}
	}
	if b.cfg.Budget != nil {
		switch b.cfg.Budget.Level() {
		case budget.Tight:
			p.lanes = min(p.lanes, 2)
		case budget.Spent:
			p.lanes, p.lazy = 1, true
		}
	}
	return p
}

// await blocks until there is reason to be connected. It fails when ctx ends.
func (b *Bridge) await(ctx context.Context) error {
	for ctx.Err() == nil {
		p := b.permitted(time.Now())
		if !p.lazy || b.waiting(p.lanes) {
			return nil
		}
		b.watch(ctx, p)
	}
	return context.Cause(ctx)
}

// waiting reports whether one of the most urgent lanes holds something on flash.
func (b *Bridge) waiting(lanes int) bool {
	for _, l := range b.lanes[:lanes] {
		if l.End() > l.Acked() {
			return true
		}
	}
	return false
}

// watch returns when a permitted lane holds something, or the permit has ended.
func (b *Bridge) watch(ctx context.Context, p permit) {
	ctx, cancel := context.WithDeadline(ctx, p.until)
	defer cancel()
	var watchers sync.WaitGroup
	for _, l := range b.lanes[:p.lanes] {
		watchers.Go(func() {
			if l.WaitFor(ctx, l.Acked()) == nil {
				cancel()
			}
		})
	}
	<-ctx.Done()
	watchers.Wait()
}

// leave makes the connection end once everything on its way is acknowledged; the
// farewell gives the reason.
func (l *link) leave(reason string) {
	if l.leaving == "" {
		l.leaving = reason
	}
}

// rest looks whether a connection that is only there while it is needed still is.
func (l *link) rest(now time.Time, p permit, f *feeder) {
	if !p.lazy || len(l.owes()) > 0 || !f.drained(p.lanes) {
		l.quiet = time.Time{}
		return
	}
	if l.quiet.IsZero() {
		l.quiet = now
	}
	if now.Sub(l.quiet) < l.cfg.Duty.Linger {
		return
	}
	if p.lanes > 1 {
		l.slotDone = now
		l.permit = permit{}
	}
	l.leave("idle")
}

// agenda returns when pump has to look again, though nothing has happened; zero:
// never.
func (l *link) agenda(now time.Time, p permit) time.Time {
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if l.cfg.Duty.Next != nil || l.cfg.Budget != nil {
		sooner(p.until)
	}
	if l.back.result == nil {
		sooner(l.back.due)
	}
	if !l.quiet.IsZero() && l.leaving == "" {
		sooner(l.quiet.Add(l.cfg.Duty.Linger))
	}
	for _, due := range []time.Time{l.pace.due(), l.proven, l.sayable} {
		if due.After(now) {
			sooner(due)
		}
	}
	for _, s := range l.streams {
		if due := s.parcel.due; len(s.parcel.records) > 0 && due.After(now) {
			sooner(due)
		}
	}
	return next
}
