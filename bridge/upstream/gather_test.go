package upstream_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// written is what one write of a session put on the wire.
type written struct {
	at    time.Duration
	bytes int
}

// writes returns a session and what it writes from now on; answer sends PUBACKs.
func writes(t *testing.T) (session *upstream.Session, log *[]written, answer func(ids ...byte)) {
	session, p := pipe(t)
	start := time.Now()
	log = new([]written)
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := p.conn.Read(b) // a pipe hands over one write at a time
			if err != nil {
				return
			}
			*log = append(*log, written{time.Since(start), n})
		}
	}()
	return session, log, func(ids ...byte) {
		for _, id := range ids {
			p.send(puback, 0, id)
		}
	}
}

// of makes a message that takes n bytes on the wire.
func of(n int) topic.Message {
	return topic.Message{Topic: "a", Payload: make([]byte, n-8)}
}

func TestGathersWhileThePathIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, log, _ := writes(t)
		session.Publish(of(1400)) // the path is idle: at once, whole
		synctest.Wait()
		for range 6 {
			time.Sleep(10 * time.Millisecond)
			session.Publish(of(300)) // the fifth fills a packet
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := []written{{0, 1400}, {50 * time.Millisecond, 1360}, {250 * time.Millisecond, 440}}
		if !slices.Equal(*log, want) {
			t.Errorf("wrote %v, want %v", *log, want)
		}
		session.Close(t.Context())
	})
}

func TestAnswersLetTheRestGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, log, answer := writes(t)
		session.Publish(of(1400))
		synctest.Wait()
		session.Publish(of(300))
		time.Sleep(30 * time.Millisecond)
		answer(1)
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []written{{0, 1400}, {30 * time.Millisecond, 300}}; !slices.Equal(*log, want) {
			t.Errorf("wrote %v, want %v", *log, want)
		}
		session.Close(t.Context())
	})
}

// With little on its way nothing waits.
func TestSmallTrafficIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, log, _ := writes(t)
		for range 4 {
			session.Publish(of(300))
			synctest.Wait()
		}
		if want := []written{{0, 300}, {0, 300}, {0, 300}, {0, 300}}; !slices.Equal(*log, want) {
			t.Errorf("wrote %v, want %v", *log, want)
		}
		session.Close(t.Context())
	})
}
