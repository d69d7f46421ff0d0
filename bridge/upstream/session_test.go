package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/broker/topic"
)

func message(i int) topic.Message {
	return topic.Message{Topic: "a/b", Payload: fmt.Append(nil, i)}
}

func TestPublishYieldsAfterPuback(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	var acked []<-chan error
	for i := range 3 {
		m := message(i)
		m.QoS, m.Retain = byte(i), i == 1 // every QoS becomes 1
		acked = append(acked, session.Publish(m))
	}
	for i := range 3 {
		m, id := p.nextPublish()
		if m.Topic != "a/b" || string(m.Payload) != fmt.Sprint(i) || m.QoS != 1 || m.Retain != (i == 1) {
			t.Errorf("message %d arrived as %+v", i, m)
		}
		select {
		case err := <-acked[i]:
			t.Errorf("message %d has a result before its PUBACK: %v", i, err)
		default:
		}
		p.send(puback, id...)
		if err := value(t, acked[i]); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := session.Err(); err != nil {
		t.Errorf("Err = %v while connected", err)
	}
	session.Close(t.Context())
}

// What is sent with QoS 0 keeps its place among the rest, and nothing is owed for
// it.
func TestSendLeavesInOrder(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	for i := range 3000 { // more than may be owed
		unanswered := i%1000 > 0
		if !unanswered {
			session.Publish(message(i))
		} else if !session.Send(message(i)) {
			t.Fatalf("message %d is not sent: %v", i, session.Err())
		}
		got := p.next(publish)
		name, body := text(got.body)
		if unanswered != (got.flags == 0) || name != "a/b" || !strings.HasSuffix(string(body), fmt.Sprint(i)) {
			t.Fatalf("message %d arrived as %q with flags %d", i, body, got.flags)
		}
	}
	if err := session.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if session.Send(message(0)) {
		t.Error("sent something after Close")
	}
}

func TestCutFailsWhatIsInFlight(t *testing.T) {
	for seed := range uint64(20) {
		s := listen(t)
		session, p := s.open()
		rng := rand.New(rand.NewPCG(seed, 0))
		var acked []<-chan error
		for i := range 200 {
			acked = append(acked, session.Publish(message(i)))
		}
		seen := rng.IntN(200)
		answered := rng.IntN(seen + 1)
		for i := range seen {
			_, id := p.nextPublish()
			if i < answered {
				p.send(puback, id...)
			}
		}
		p.cut()
		closed(t, session.Lost())
		for i, c := range acked {
			select {
			case err := <-c:
				if err == nil && i >= answered {
					t.Fatalf("seed %d: message %d of %d has no PUBACK and no error", seed, i, answered)
				}
			default:
				t.Fatalf("seed %d: message %d has no result although the session is lost", seed, i)
			}
		}
		if err := session.Err(); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Err does not say that upstream hung up: %v", err)
		}
		if err := value(t, session.Publish(message(0))); err == nil {
			t.Error("Publish succeeds after the loss")
		}
		if err := session.Close(t.Context()); err == nil {
			t.Error("Close claims a DISCONNECT on a lost connection")
		}
	}
}

// A token of paho completes for any packet with its id.
func TestOnlyPubackIsProof(t *testing.T) {
	for _, kind := range []byte{5, 6, 7, suback, 11} {
		s := listen(t)
		session, p := s.open()
		acked := session.Publish(message(0))
		_, id := p.nextPublish()
		p.send(kind, append(id, 0)...)
		if err := value(t, acked); err == nil {
			t.Errorf("a packet of type %d counts as PUBACK", kind)
		}
		closed(t, session.Lost())
		session.Close(t.Context())
	}
}

// Some brokers subscribe a client by themselves.
func TestUnaskedMessagesAreIgnored(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	p.send(publish, 0, 1, 'x', 'y')
	p.send(puback, 9, 9)
	acked := session.Publish(message(0))
	_, id := p.nextPublish()
	p.send(puback, id...)
	if err := value(t, acked); err != nil {
		t.Error(err)
	}
	session.Close(t.Context())
}

func TestCloseFlushes(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	var acked []<-chan error
	for i := range 50 {
		m := message(i)
		m.Payload = make([]byte, 100_000)
		m.Payload[0] = byte(i)
		acked = append(acked, session.Publish(m)) // 5 MB: more than the kernel takes
	}
	done := make(chan error, 1)
	go func() { done <- session.Close(t.Context()) }()
	for i := range 50 {
		if m, _ := p.nextPublish(); m.Payload[0] != byte(i) {
			t.Fatalf("message %d arrived in place of %d", m.Payload[0], i)
		}
	}
	p.next(disconnect)
	p.gone()
	if err := <-done; err != nil {
		t.Error(err)
	}
	closed(t, session.Lost())
	for i, c := range acked {
		if err := value(t, c); err == nil {
			t.Errorf("message %d counts as delivered", i)
		}
	}
	if err := value(t, session.Publish(message(0))); err == nil {
		t.Error("Publish succeeds after Close")
	}
	if err := session.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// A broker may hang up on DISCONNECT before this side has finished closing.
func TestCloseRacesWithTheBroker(t *testing.T) {
	s := listen(t)
	for range 50 {
		session, p := s.open()
		done := make(chan error, 1)
		go func() { done <- session.Close(t.Context()) }()
		p.next(disconnect)
		p.cut()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseIsBoundedByItsContext(t *testing.T) {
	s := listen(t)
	session, _ := s.open() // the peer reads nothing
	for range 100 {
		session.Publish(topic.Message{Topic: "a", Payload: make([]byte, 1<<20)})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := session.Close(ctx); err == nil {
		t.Error("Close claims a DISCONNECT that cannot have left")
	}
	if d := time.Since(start); d > patience {
		t.Errorf("Close took %v", d)
	}
}

func TestCloseWithEndedContextCuts(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := session.Close(ctx); err == nil {
		t.Error("Close claims a DISCONNECT")
	}
	p.gone()
}

func TestPublishIsBounded(t *testing.T) {
	s := listen(t)
	session, p := s.open()
	first := session.Publish(message(0))
	for i := range 1023 {
		session.Publish(message(i))
	}
	if err := value(t, session.Publish(message(0))); err == nil {
		t.Error("message 1025 was taken")
	}
	_, id := p.nextPublish()
	p.send(puback, id...)
	value(t, first)
	select {
	case err := <-session.Publish(message(0)):
		t.Errorf("no room after a PUBACK: %v", err)
	default:
	}
	p.cut()
	closed(t, session.Lost())
	session.Close(t.Context())
}
