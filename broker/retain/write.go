package retain

import (
	"cmp"
	"context"
	"errors"
	"time"

	"sluice/gateway/durable"
)

// String returns the store's name in logs.
func (s *Store) String() string { return "retained messages" }

// Run writes until ctx is cancelled, then all that is left. A store is run once.
func (s *Store) Run(ctx context.Context) error {
	all := time.NewTicker(s.every)
	defer all.Stop()
	var retry <-chan time.Time
	for {
		var err error
		select {
		case <-ctx.Done():
			return s.write(true)
		case <-all.C:
			err = s.write(true)
		case <-s.wake:
			err = s.write(false)
		case <-retry:
			err = s.write(true)
		}
		if retry = nil; err != nil { // the log has said why
			retry = time.After(retryEvery)
		}
	}
}

// Close gives the directory back. What Run has not written is lost, and those who
// wait for it are told.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		s.commit.End(ErrClosed)
	}
	s.mu.Unlock()
	return s.log.Close()
}

// write writes what is urgent, or everything that has changed, and then shortens
// the log.
func (s *Store) write(everything bool) error {
	entries, c := s.take(everything)
	if c == nil {
		return ErrClosed
	}
	err := s.writeEntries(entries)
	if c.End(err); err != nil {
		s.putBack(entries)
		return err
	}
	return s.compact()
}

// take returns what is to be written and the commit that waits for it, which is
// nil when the store is closed.
func (s *Store) take(everything bool) ([]*entry, *durable.Promise) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil
	}
	var entries []*entry
	for e := range s.urgent {
		entries = append(entries, e)
	}
	clear(s.urgent)
	if everything {
		for e := range s.changed {
			entries = append(entries, e)
		}
		clear(s.changed)
	}
	c := s.commit
	s.commit = durable.NewPromise()
	return entries, c
}

// putBack makes entries urgent that may not be on the medium, but for removals
// whose topic has something newer.
func (s *Store) putBack(entries []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if name := e.message.Topic; s.entries[name] == nil {
			s.entries[name] = e
		} else if s.entries[name] != e {
			continue
		}
		delete(s.changed, e)
		s.urgent[e] = true
	}
}

// writeEntries returns when the messages are on the medium.
func (s *Store) writeEntries(entries []*entry) error {
	var last durable.Seq
	for _, e := range entries {
		s.mu.Lock()
		m := e.message
		s.mu.Unlock()
		rec := appendRecord(nil, m)
		seq, err := s.log.Append(rec)
		if err != nil {
			return err
		}
		last = seq
		s.live -= e.size
		e.seq, e.size = seq, int64(len(rec))
		if len(m.Payload) == 0 {
			s.bury(e)
		}
		s.live += e.size
	}
	if last == 0 {
		return nil
	}
	return s.log.Wait(context.Background(), last)
}

// bury forgets an entry whose removal was written, unless it is to be written
// again: two entries of a topic would be written in any order. The record of the
// removal need not be kept: it outlives what it removes.
func (s *Store) bury(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.seq, e.size = 0, 0
	if !s.urgent[e] && !s.changed[e] && s.entries[e.message.Topic] == e {
		delete(s.entries, e.message.Topic)
	}
}

// compact shortens a log that is longer than twice what counts, a part at a time.
func (s *Store) compact() error {
	for s.log.Stats().BacklogBytes > 2*s.live+s.slack {
		before := s.log.Acked()
		if err := s.giveUpOldest(); err != nil || s.log.Acked() == before {
			return err
		}
	}
	return nil
}

// giveUpOldest writes again what counts of the oldest part of the log, and then
// gives that part up.
func (s *Store) giveUpOldest() error {
	var first, last durable.Seq // of the copies
	upTo := s.log.Acked()
	r := s.log.NewReader(upTo)
	for done := int64(0); done < s.slack; {
		rec, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok || first > 0 && rec.Seq >= first {
			break
		}
		upTo = rec.Seq + 1
		done += int64(len(rec.Data))
		e := s.counting(rec)
		if e == nil {
			continue
		}
		if last, err = s.log.Append(rec.Data); err != nil {
			return err
		}
		e.seq, first = last, cmp.Or(first, last)
	}
	if last > 0 {
		if err := s.log.Wait(context.Background(), last); err != nil {
			return err
		}
	}
	s.log.Ack(upTo)
	return nil
}

// counting returns the entry whose message a record holds; nil when the record
// does not count any more.
func (s *Store) counting(rec durable.Record) *entry {
	m, err := parseRecord(rec.Data)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[m.Topic]; e != nil && e.seq == rec.Seq {
		return e
	}
	return nil
}

var errRecord = errors.New("not a retained message of this version")
