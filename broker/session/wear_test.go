package session_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/journal"
	"sluice/broker/session"
	"sluice/gateway/durable/durabletest"
)

// TestKeepsUp: what a subscriber acknowledges in time costs the flash nothing,
// whether somebody waits for it or not; what it does not, is written.
func TestKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.OpenFS(durabletest.New(1).Start(), journal.Config{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		kept := j.Begin(journal.State{ClientID: "c", Expiry: time.Hour})
		s, l := session.NewPool(session.Limits{}).Keep(kept, journal.Restored{}), newLink(4)
		s.Attach(l, v4)
		time.Sleep(2 * time.Second) // the session itself is written
		before := j.Stats().Commits
		for i := range 1000 {
			wait := offer(j, s, i%2 == 0)
			s.Puback(l.take()[0].id)
			if i%2 == 0 && wait(t.Context()) != nil {
				t.Error("an acknowledged message is not safe")
			}
			time.Sleep(5 * time.Millisecond)
		}
		if got := j.Stats().Commits; got != before {
			t.Errorf("%d commits", got-before)
		}
		wait, start := offer(j, s, true), time.Now()
		if err := wait(t.Context()); err != nil || time.Since(start) < 10*time.Millisecond || time.Since(start) > 12*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if got := j.Stats(); got.Commits != before+1 || got.Messages != 1 {
			t.Errorf("%+v", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

// offer delivers a message of QoS 1 as the broker does.
func offer(j *journal.Journal, s *session.Session, urgent bool) (wait func(context.Context) error) {
	m := message("x")
	it := j.NewItem(m)
	s.Deliver(m, session.Delivery{QoS: 1, Item: it})
	return it.Store(urgent)
}
