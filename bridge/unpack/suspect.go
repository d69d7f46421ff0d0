package unpack

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"sluice/bridge/envelope"
)

// suspect is a message that the sink seems not to bear: it hangs up when it comes.
type suspect struct {
	source envelope.Source
	number uint64 // of the first of the batch
	times  int    // connections in a row
	alone  int    // messages still to go one at a time
}

// Connections until messages go one at a time, and until one is set aside.
const (
	suspectAfter = 2
	guiltyAfter  = 5
)

func (s *suspect) batch() int {
	if s.alone > 0 {
		return 1
	}
	return batch
}

// cleared takes note that the sink took what was sent.
func (s *suspect) cleared() { *s = suspect{alone: max(s.alone-1, 0)} }

// suspected looks at a batch that was on its way when the connection ended.
func (u *Unpacker) suspected(e *envelope.Envelope, l *ledger, part []uint64, why error) error {
	if !errors.Is(why, io.EOF) && !errors.Is(why, syscall.ECONNRESET) && !errors.Is(why, syscall.EPIPE) {
		return nil
	}
	s := &u.suspect
	if s.source != e.Source || s.number != part[0] {
		*s = suspect{source: e.Source, number: part[0], alone: s.alone}
	}
	s.times++
	if s.times >= suspectAfter {
		s.alone = max(s.alone, len(part))
	}
	if s.times < guiltyAfter || len(part) > 1 {
		return nil
	}
	s.cleared()
	m := e.Messages[part[0]-e.First]
	if err := u.setAside("message", m.Payload, fmt.Errorf("%s, number %d, topic %s: %w", e.Source, part[0], m.Topic, why)); err != nil {
		return err
	}
	return u.done(e, l, part)
}
