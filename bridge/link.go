package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
)

const (
	farewellTime = 500 * time.Millisecond // for the PUBACK of the farewell, after DrainTime
	closeTime    = 250 * time.Millisecond // for DISCONNECT to leave
)

var errStalled = errors.New("upstream sent no PUBACK")

// link is one connection as Run sees it.
type link struct {
	*Bridge
	session Session
	meter   meter
	flights []flight // sent and not acknowledged, in sequence
}

// flight is one record on its way.
type flight struct {
	seq   queue.Seq
	topic string
	bytes int
	at    time.Time
	acked <-chan error
}

// run announces this gateway, then sends from the acknowledged cursor on until
// the connection ends or ctx does. Nothing is sent before upstream has the
// birth, so that whoever reads a value there knows which session it is from.
func (l *link) run(ctx context.Context, reader *queue.Reader) error {
	if err := l.birth(ctx); err != nil {
		return err
	}
	reader.Rewind()
	feeding, stop := context.WithCancel(ctx)
	records := l.feed(feeding, reader)
	err := l.pump(ctx, records)
	stop()
	for range records { // until feed has let go of the reader
	}
	return err
}

// birth publishes the birth and waits for its PUBACK.
func (l *link) birth(ctx context.Context) error {
	reason := "start"
	if l.born {
		reason = "reconnect"
	}
	m := l.cfg.Birth(l.conn, reason)
	now := time.Now()
	l.meter.sent(now, size(m))
	waiting, cancel := context.WithDeadlineCause(ctx, l.meter.deadline(), errStalled)
	defer cancel()
	err := await(waiting, l.session.Publish(m))
	switch {
	case errors.Is(err, errStalled):
		return l.stall()
	case err != nil:
		return fmt.Errorf("birth: %w", err)
	}
	l.meter.acked(time.Now(), size(m), time.Since(now))
	l.connected(reason)
	return nil
}

// await returns what acked yields, or why ctx ended.
func await(ctx context.Context, acked <-chan error) error {
	select {
	case err := <-acked:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pump sends what records yields within the window, and moves the cursor with
// the PUBACKs of the unbroken prefix.
func (l *link) pump(ctx context.Context, records <-chan fed) error {
	var unreadable error
	watchdog := time.NewTimer(0)
	defer watchdog.Stop()
	for {
		next, head, lost, stalled := records, (<-chan error)(nil), l.session.Lost(), watchdog.C
		switch {
		case len(l.flights) > 0:
			head, lost = l.flights[0].acked, nil // head yields the loss, behind the last PUBACK
			watchdog.Reset(time.Until(l.meter.deadline()))
		case unreadable != nil:
			return unreadable
		default:
			stalled = nil
		}
		if !l.meter.room() {
			next = nil
		}
		select {
		case f := <-next:
			if f.err != nil {
				records, unreadable = nil, f.err // what is owed comes first
				continue
			}
			l.send(f.Record)
		case err := <-head:
			if err != nil {
				l.suspectHead()
				l.flights = nil // they all failed
				return err
			}
			l.landed()
		case <-lost:
			return l.session.Err()
		case <-stalled:
			return l.stall()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *link) send(r queue.Record) {
	f := flight{seq: r.Seq, topic: r.Message.Topic, bytes: size(r.Message), at: time.Now()}
	f.acked = l.session.Publish(r.Message)
	l.flights = append(l.flights, f)
	l.meter.sent(f.at, f.bytes)
	again := r.Seq <= l.highest
	l.highest = max(l.highest, r.Seq)
	l.update(func(s *Stats) {
		s.Sent++
		if again {
			s.Resent++
		}
		l.show(s)
	})
}

// landed takes note that upstream has the oldest flight.
func (l *link) landed() {
	f := l.flights[0]
	l.flights = l.flights[1:]
	l.lane.Ack(f.seq + 1)
	now := time.Now()
	l.meter.acked(now, f.bytes, now.Sub(f.at))
	l.update(func(s *Stats) {
		s.Delivered++
		l.show(s)
	})
}

func (l *link) show(s *Stats) {
	s.InFlight, s.InFlightBytes, s.Window = len(l.flights), l.meter.owed, l.meter.window
	s.RTT, s.RTTMin = l.meter.srtt, l.meter.rttMin
}

// stall is a loss that this side declares.
func (l *link) stall() error {
	l.update(func(s *Stats) { s.Stalls++ })
	return fmt.Errorf("%w for %v, %d messages owed", errStalled,
		time.Since(l.meter.progress).Round(time.Millisecond), l.meter.flights)
}

// part ends the connection as planned. The farewell goes out behind what was
// sent, so that one round trip is enough for the PUBACKs of all. Without the
// farewell's the will must stay, or upstream would show this gateway online for
// ever.
func (l *link) part() {
	defer l.disconnected()
	farewell := l.session.Publish(l.cfg.Farewell(l.conn, "shutdown"))
	waiting, cancel := context.WithTimeout(context.Background(), l.cfg.DrainTime+farewellTime)
	defer cancel()
	for len(l.flights) > 0 && await(waiting, l.flights[0].acked) == nil {
		l.landed()
	}
	if err := await(waiting, farewell); err != nil {
		l.session.Close(ended())
		l.log.Warn("upstream did not acknowledge the farewell", "err", err)
		return
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := l.session.Close(closing); err != nil {
		l.log.Warn("upstream may not know that the connection was closed", "err", err)
	}
}

// abandon cuts a connection that failed.
func (l *link) abandon() {
	l.session.Close(ended())
	l.disconnected()
}

// ended returns a context that has ended: with it Close cuts.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// size is what m takes on the link, TCP and below not counted.
func size(m topic.Message) int { return len(m.Topic) + len(m.Payload) + 7 }
