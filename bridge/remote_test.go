package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/bridge"
	"sluice/broker/topic"
)

var (
	errCut     = errors.New("connection cut")
	errRefused = errors.New("connection refused")
	errClosed  = errors.New("session closed")
)

// verdict is what the remote broker does with a message that arrived.
type verdict int

const (
	acknowledge verdict = iota
	withhold            // no PUBACK for it and for all behind it
	hangUp              // end the connection; PUBACKs under way are lost
)

// arrival is a message that reached the remote broker.
type arrival struct {
	conn    int // counted from 1
	message topic.Message
	born    bool // a PUBACK had gone out on the connection before
}

// remote is a broker upstream behind a link with a round trip of rtt.
type remote struct {
	rtt    time.Duration
	refuse func(dial int) bool                     // the connection; may be nil
	deny   func(open int) bool                     // the session; may be nil
	judge  func(conn int, m topic.Message) verdict // may be nil

	mu       sync.Mutex
	gone     bool // dials get no answer
	paths    int  // open, and without a session
	opens    int
	dials    []time.Time
	wills    []topic.Message
	arrivals []arrival
	sessions []*session
}

// dial takes a round trip to connect.
func (r *remote) dial(ctx context.Context) (bridge.Path, error) {
	r.mu.Lock()
	r.dials = append(r.dials, time.Now())
	n := len(r.dials)
	refused, gone := r.refuse != nil && r.refuse(n), r.gone
	r.mu.Unlock()
	if gone {
		<-ctx.Done()
		return nil, fmt.Errorf("attempt %d: %w", n, ctx.Err())
	}
	if err := pause(ctx.Done(), r.rtt); err != nil {
		return nil, ctx.Err()
	}
	if refused {
		return nil, fmt.Errorf("attempt %d: %w", n, errRefused)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paths++
	return &path{r}, nil
}

// path is a way to the remote broker.
type path struct{ remote *remote }

func (p *path) Close() error {
	p.remote.mu.Lock()
	defer p.remote.mu.Unlock()
	p.remote.paths--
	return nil
}

// Open takes another round trip.
func (p *path) Open(ctx context.Context, will topic.Message) (bridge.Session, error) {
	p.Close()
	r := p.remote
	if err := pause(ctx.Done(), r.rtt); err != nil {
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opens++
	if r.deny != nil && r.deny(r.opens) {
		return nil, errRefused
	}
	r.wills = append(r.wills, will)
	s := &session{
		remote: r, conn: len(r.sessions) + 1, began: time.Now(),
		sent: make(chan flight, 1<<14), answers: make(chan time.Time, 1<<14), lost: make(chan struct{}),
	}
	r.sessions = append(r.sessions, s)
	go s.carry()
	go s.answer()
	return s, nil
}

// setGone makes the link lose everything, or carry again what waits on it.
func (r *remote) setGone(gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = gone
}

// last returns the current session, nil before the first.
func (r *remote) last() *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) == 0 {
		return nil
	}
	return r.sessions[len(r.sessions)-1]
}

// received returns everything that arrived so far.
func (r *remote) received() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals...)
}

func (r *remote) arrive(s *session, m topic.Message) verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals = append(r.arrivals, arrival{s.conn, m, s.born()})
	if r.judge == nil {
		return acknowledge
	}
	return r.judge(s.conn, m)
}

// session is a bridge.Session: messages arrive after half a round trip, PUBACKs
// come back after another.
type session struct {
	remote  *remote
	conn    int
	began   time.Time
	sent    chan flight
	answers chan time.Time
	lost    chan struct{}

	mu       sync.Mutex
	pending  []chan<- error // without an answer yet, in order
	answered int
	err      error
	parted   bool // by DISCONNECT
	deaf     bool // half-open
}

type flight struct {
	message topic.Message
	at      time.Time
}

func (s *session) Publish(m topic.Message) <-chan error {
	acked := make(chan error, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		acked <- s.err
		return acked
	}
	s.pending = append(s.pending, acked)
	s.sent <- flight{m, time.Now()}
	return acked
}

func (s *session) Send(m topic.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.QoS = unanswered
	s.sent <- flight{m, time.Now()}
	return s.err == nil
}

const unanswered = 100 // marks what was sent with QoS 0

func (s *session) Lost() <-chan struct{} { return s.lost }

func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *session) born() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered > 0
}

func (s *session) Close(ctx context.Context) error {
	if ctx.Err() != nil {
		s.end(errCut, false)
		return ctx.Err()
	}
	s.end(errClosed, true)
	return nil
}

func (s *session) end(err error, parted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err, s.parted = err, parted
	for _, acked := range s.pending {
		acked <- err
	}
	close(s.lost)
}

// deafen makes the connection half-open: nothing arrives any more, nobody is told.
func (s *session) deafen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

// hold waits until the link carries; an error means that it does so no more for
// this session.
func (s *session) hold() error {
	for {
		s.mu.Lock()
		deaf := s.deaf
		s.mu.Unlock()
		s.remote.mu.Lock()
		gone := s.remote.gone
		s.remote.mu.Unlock()
		if !deaf && !gone {
			return nil
		}
		if err := pause(s.lost, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// carry takes messages to the remote broker.
func (s *session) carry() {
	silent := false
	for {
		select {
		case f := <-s.sent:
			if pause(s.lost, time.Until(f.at.Add(s.remote.rtt/2))) != nil || s.hold() != nil {
				return
			}
			switch s.remote.arrive(s, f.message) {
			case hangUp:
				s.end(errCut, false)
				return
			case withhold:
				silent = true
			}
			if !silent && f.message.QoS != unanswered {
				s.answers <- f.at.Add(s.remote.rtt)
			}
		case <-s.lost:
			return
		}
	}
}

// answer takes PUBACKs back.
func (s *session) answer() {
	for {
		select {
		case at := <-s.answers:
			if pause(s.lost, time.Until(at)) != nil || s.hold() != nil {
				return
			}
			s.mu.Lock()
			if s.err == nil {
				s.pending[0] <- nil
				s.pending = s.pending[1:]
				s.answered++
			}
			s.mu.Unlock()
		case <-s.lost:
			return
		}
	}
}

// pause waits for d; an error means that stop came first.
func pause(stop <-chan struct{}, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-stop:
		return errCut
	}
}
