package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"sluice/broker/topic"
)

// maxOwed bounds the messages a session holds without their PUBACK.
const maxOwed = 1024

var (
	errClosed = errors.New("session closed")
	errOwed   = errors.New("too many messages without acknowledgement")
)

// Session is one connection. Its methods may be called from any goroutine.
type Session struct {
	client   mqtt.Client
	wire     *wire
	jobs     chan job      // has room for maxOwed, so that a send never blocks
	closing  chan struct{} // Close was called
	lost     chan struct{} // every result is delivered
	finished chan struct{} // every goroutine is gone
	denied   []string      // filters

	mu   sync.Mutex
	owed int
	shut error // not nil: Publish takes nothing more
}

type job struct {
	message topic.Message
	acked   chan<- error // nil: of QoS 0
}

type flight struct {
	token mqtt.Token
	bytes int
	acked chan<- error
}

func newSession(client mqtt.Client, w *wire) *Session {
	return &Session{
		client:   client,
		wire:     w,
		jobs:     make(chan job, maxOwed),
		closing:  make(chan struct{}),
		lost:     make(chan struct{}),
		finished: make(chan struct{}),
	}
}

// Publish sends m with QoS 1, whatever m.QoS says, and returns at once. Messages
// leave in the order of the calls. The channel yields exactly one value: nil
// after the broker's PUBACK, or an error when there will be none; the message
// may have arrived all the same. m.Payload must not change until then. At most
// 1024 messages may be unacknowledged; one more is answered with an error.
func (s *Session) Publish(m topic.Message) <-chan error {
	acked := make(chan error, 1)
	if err := s.take(job{m, acked}); err != nil {
		acked <- err
	}
	return acked
}

// Send sends m with QoS 0, whatever m.QoS says, behind all before it, and returns
// at once; false means that it does not. Nobody learns whether it arrived.
// m.Payload must not change any more.
func (s *Session) Send(m topic.Message) bool { return s.take(job{m, nil}) == nil }

func (s *Session) take(j job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shut != nil:
		return s.shut
	case s.owed == maxOwed:
		return errOwed
	}
	s.owed++
	s.jobs <- j
	return nil
}

// Lost is closed when the connection has ended, for whatever reason. By then
// every channel that Publish returned holds its value.
func (s *Session) Lost() <-chan struct{} { return s.lost }

// Err returns why the connection ended, nil while it has not.
func (s *Session) Err() error { return s.wire.cause() }

// Close sends DISCONNECT behind all that was published, so that the broker
// drops the will, and returns when the connection is closed and no goroutine is
// left. If ctx ends sooner, or has ended already, the connection is cut instead
// and the broker publishes the will; the error says so.
func (s *Session) Close(ctx context.Context) error {
	if ctx.Err() != nil {
		s.wire.end(context.Cause(ctx))
	}
	stop := context.AfterFunc(ctx, func() { s.wire.end(context.Cause(ctx)) })
	defer stop()
	if s.refuse(errClosed) {
		close(s.closing)
	}
	<-s.finished
	if err := s.wire.cause(); !errors.Is(err, errClosed) {
		return fmt.Errorf("no DISCONNECT sent: %w", err)
	}
	return nil
}

// refuse makes Publish answer with err and reports whether it did not before.
func (s *Session) refuse(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shut != nil {
		return false
	}
	s.shut = err
	return true
}

// run owns the client: nothing else publishes or disconnects.
func (s *Session) run() {
	defer close(s.finished)
	closing := s.closing
	var inFlight []flight
	for {
		var head <-chan struct{}
		if len(inFlight) > 0 {
			head = inFlight[0].token.Done()
		}
		select {
		case j := <-s.jobs:
			inFlight = s.send(inFlight, j)
		case <-head:
			s.wire.owe(-inFlight[0].bytes)
			s.settle(inFlight[0].acked, inFlight[0].token.Error())
			inFlight = inFlight[1:]
		case <-closing:
			closing = nil
			inFlight = s.disconnect(inFlight)
		case <-s.wire.done:
			s.finish(inFlight)
			return
		}
	}
}

// send hands one message to paho, which returns at once for as long as it has
// not noticed that the connection ended.
func (s *Session) send(inFlight []flight, j job) []flight {
	var token mqtt.Token
	var qos byte
	bytes := 0
	if j.acked != nil {
		qos, bytes = 1, len(j.message.Topic)+len(j.message.Payload)+7
	}
	s.wire.owe(bytes)
	alive := s.wire.whileUp(func() {
		token = s.client.Publish(j.message.Topic, qos, j.message.Retain, j.message.Payload)
	})
	if !alive {
		s.settle(j.acked, s.wire.cause())
		return inFlight
	}
	if qos == 0 {
		s.settle(nil, nil)
		return inFlight
	}
	return append(inFlight, flight{token, bytes, j.acked})
}

// settle delivers the result of one message. A failed one ends the session: what
// was published behind it must not arrive before it does.
func (s *Session) settle(acked chan<- error, err error) {
	if err != nil {
		s.wire.end(err)
		err = s.wire.cause()
	}
	s.mu.Lock()
	s.owed--
	s.mu.Unlock()
	if acked != nil {
		acked <- err
	}
}

// disconnect sends what is left and DISCONNECT behind it. Nothing can be added:
// Publish refuses by now.
func (s *Session) disconnect(inFlight []flight) []flight {
	for len(s.jobs) > 0 {
		inFlight = s.send(inFlight, <-s.jobs)
	}
	s.wire.lingerOnClose()
	s.client.Disconnect(uint(handover.Milliseconds()))
	return inFlight
}

// finish delivers every result, then waits until paho has wound down.
func (s *Session) finish(inFlight []flight) {
	ended := s.wire.cause()
	for _, f := range inFlight {
		s.settle(f.acked, result(f.token, ended))
	}
	s.refuse(ended)
	for len(s.jobs) > 0 {
		s.settle((<-s.jobs).acked, ended)
	}
	close(s.lost)
	s.client.Disconnect(uint(handover.Milliseconds()))
	<-s.wire.flushed
}

// result returns nil when the PUBACK came before the connection ended.
func result(token mqtt.Token, ended error) error {
	select {
	case <-token.Done():
		if token.Error() == nil {
			return nil
		}
	default:
	}
	return ended
}
