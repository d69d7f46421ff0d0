package upstream_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

// In these bubbles a goroutine that outlives the test fails it.

// pipe returns a session over a pipe, keepalive 60 s, and the broker's end.
func pipe(t *testing.T) (*upstream.Session, *peer) {
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	p := newPeer(t, far)
	go func() {
		p.next(connect)
		p.send(connack, 0, 0)
	}()
	session, err := upstream.Handshake(t.Context(), near, upstream.Config{ClientID: "gw", KeepAlive: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return session, p
}

func TestHandshakeUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		_, err := upstream.Handshake(ctx, near, upstream.Config{ClientID: "gw", KeepAlive: time.Minute})
		if err == nil || !strings.Contains(err.Error(), "no answer to CONNECT") {
			t.Errorf("handshake: %v", err)
		}
		if d := time.Since(start); d != 15*time.Second {
			t.Errorf("gave up after %v, want 15 s", d)
		}
	})
}

func TestIdleSessionIsKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, p := pipe(t)
		pings := 0
		go func() {
			for {
				got, err := p.read()
				if err != nil || got.kind == disconnect {
					return
				}
				if got.kind == pingreq {
					pings++
					p.send(pingresp)
				}
			}
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if err := session.Err(); err != nil {
			t.Error(err)
		}
		if pings < 54 || pings > 60 {
			t.Errorf("%d pings in an hour with a keepalive of 60 s", pings)
		}
		if err := session.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHalfOpenIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, p := pipe(t)
		go io.Copy(io.Discard, p.conn) // pings arrive, nothing answers
		start := time.Now()
		<-session.Lost()
		if d := time.Since(start); d != 95*time.Second { // 60 + 30 and 5 for paho's timer
			t.Errorf("noticed after %v, want 95 s", d)
		}
		if err := session.Err(); !strings.Contains(err.Error(), "silent") {
			t.Error(err)
		}
		session.Close(t.Context())
	})
}

// Answers to other traffic prove life: a ping that waits behind a long message
// must not end a slow link.
func TestSlowLinkIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, p := pipe(t)
		go func() {
			for {
				got, err := p.read()
				if err != nil {
					return
				}
				if got.kind == publish {
					_, rest := text(got.body)
					p.send(puback, rest[:2]...)
				}
			}
		}()
		for i := range 60 {
			time.Sleep(time.Minute)
			if err := <-session.Publish(message(i)); err != nil {
				t.Fatalf("after %d min: %v", i, err)
			}
		}
		session.Close(t.Context())
	})
}

// A peer that takes nothing more blocks neither Publish nor the end.
func TestStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, _ := pipe(t)
		start := time.Now()
		var acked []<-chan error
		for range 500 {
			acked = append(acked, session.Publish(topic.Message{Topic: "a", Payload: make([]byte, 1000)}))
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("Publish blocked for %v", d)
		}
		<-session.Lost()
		if d := time.Since(start); d != 95*time.Second {
			t.Errorf("lost after %v, want 95 s", d)
		}
		for i, c := range acked {
			if err := <-c; err == nil {
				t.Errorf("message %d counts as delivered", i)
			}
		}
		if d := time.Since(start); d != 95*time.Second {
			t.Errorf("results came %v late", d-95*time.Second)
		}
		session.Close(t.Context())
		if d := time.Since(start); d != 95*time.Second {
			t.Errorf("wound down %v late", d-95*time.Second)
		}
	})
}

// A peer that talks but takes nothing is as dead for a publisher.
func TestPeerThatOnlyTalks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		session, p := pipe(t)
		time.Sleep(time.Second) // behind the CONNECT
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Second):
					p.conn.Write([]byte{pingresp << 4, 0})
				}
			}
		}()
		start := time.Now()
		acked := session.Publish(message(0))
		if err := <-acked; err == nil || time.Since(start) != 2*time.Minute {
			t.Errorf("result after %v: %v, want an error after 2 min", time.Since(start), err)
		}
		close(stop)
		session.Close(t.Context())
	})
}
