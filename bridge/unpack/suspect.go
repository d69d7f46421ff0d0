package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"sluice/bridge/envelope"
)

// suspect is a message that the sink seems not to bear: it hangs up when it comes.
// A broker that restarts, or a second client of the same name, ends connections as
// well. So a suspect is tried by itself, on connections that have lasted without it.
type suspect struct {
	source envelope.Source
	number uint64        // of the first of the batch
	times  int           // connections in a row
	trials int           // of these
	took   time.Duration // the longest that it took to end one
	alone  int           // messages still to go one at a time
}

const (
	suspectAfter = 2 // connections, then messages go one at a time
	guiltyAfter  = 3 // trials
	leastProof   = time.Second
)

// hangup is the end of a connection, so long after a batch began to be sent.
type hangup struct {
	error
	took time.Duration
}

func (h hangup) Unwrap() error { return h.error }

func (s *suspect) batch() int {
	if s.alone > 0 {
		return 1
	}
	return batch
}

// tried reports whether what is sent next is a suspect by itself.
func (s *suspect) tried() bool { return s.alone > 0 && s.times > 0 }

// cleared takes note that the sink took what was sent.
func (s *suspect) cleared() { *s = suspect{alone: max(s.alone-1, 0)} }

// prove waits, before a suspect is sent, until the connection has lasted longer
// than the suspect took to end others.
func (u *Unpacker) prove(ctx context.Context, sink Sink) error {
	if !u.suspect.tried() {
		return nil
	}
	timer := time.NewTimer(max(2*u.suspect.took, leastProof))
	defer timer.Stop()
	select {
	case <-timer.C:
		return sink.Ping()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// suspected looks at a batch that was on its way when the connection ended.
func (u *Unpacker) suspected(e *envelope.Envelope, l *ledger, part []uint64, why hangup) error {
	if !errors.Is(why, io.EOF) && !errors.Is(why, syscall.ECONNRESET) && !errors.Is(why, syscall.EPIPE) {
		return nil
	}
	s := &u.suspect
	if s.source != e.Source || s.number != part[0] {
		*s = suspect{source: e.Source, number: part[0], alone: s.alone}
	}
	if s.tried() {
		s.trials++
	}
	s.times++
	s.took = max(s.took, why.took)
	if s.times >= suspectAfter {
		s.alone = max(s.alone, len(part))
	}
	if s.trials < guiltyAfter {
		return nil
	}
	s.cleared()
	m := e.Messages[part[0]-e.First]
	if err := u.setAside("message", m.Payload, fmt.Errorf("%s, number %d, topic %s: %w", e.Source, part[0], m.Topic, why)); err != nil {
		return err
	}
	return u.done(e, l, part)
}
