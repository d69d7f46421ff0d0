package unpack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/bridge/envelope"
	"sluice/bridge/upstream"
)

// batch is how many messages are between PUBLISH and PUBREL at once. Mosquitto
// drops what is more than 20, without a word.
const batch = 16

// handle hands the missing messages of an envelope on. The steps of each batch:
//
//  1. the envelope and what was missing of it are in the journal, on disk
//  2. PUBLISH with QoS 2 until each has its PUBREC: the sink has them, and takes
//     further ones under the same identifiers for the same
//  3. they are in the ledger, on disk: from here on they are never published again
//  4. PUBREL until each has its PUBCOMP: the identifiers are free
//
// The identifier follows from the number, and the journal is only written anew when
// all of the envelope is through. So whoever comes after a kill knows what may be
// on its way: what is missing by the ledger is published again under the identifiers
// that it had, what is not is released again. The envelope is acknowledged last.
//
// between is called after each batch; nil: this is the rest of an envelope that was
// begun before.
func (u *Unpacker) handle(ctx context.Context, e *envelope.Envelope, todo []uint64, sink Sink, between func() error) error {
	l, err := u.ledger(e.Source)
	if err != nil {
		return err
	}
	for len(todo) > 0 {
		part := todo[:min(len(todo), u.suspect.batch())]
		if err := u.prove(ctx, sink); err != nil {
			return fmt.Errorf("to: %w", err)
		}
		began := time.Now()
		if err := sink.Publish(u.cfg.QoS, numbered(e, part, between == nil)); err != nil {
			return errors.Join(fmt.Errorf("to: %w", err), u.suspected(e, l, part, hangup{err, time.Since(began)}))
		}
		u.suspect.cleared()
		if err := u.done(e, l, part); err != nil {
			return err
		}
		if err := u.release(sink, part); err != nil {
			return err
		}
		u.count(func(s *Stats) { s.Messages += uint64(len(part)) })
		todo = todo[len(part):]
		if between == nil {
			continue
		}
		if err := between(); err != nil {
			return err
		}
	}
	return u.closeJournal()
}

// take handles an envelope that came.
func (u *Unpacker) take(ctx context.Context, payload []byte, source Source, sink Sink) error {
	e, err := envelope.Open(payload)
	if err != nil {
		return u.setAside("envelope", payload, err)
	}
	l, err := u.ledger(e.Source)
	if err != nil {
		return err
	}
	todo := l.missing(e)
	u.count(func(s *Stats) { s.Again += uint64(len(e.Messages) - len(todo)) })
	if len(todo) == 0 {
		return nil
	}
	if err := u.openJournal(payload, todo); err != nil {
		return err
	}
	return u.handle(ctx, e, todo, sink, func() error {
		if time.Since(u.pinged) < idle {
			return nil
		}
		u.pinged = time.Now()
		return source.Ping()
	})
}

// resume ends what a connection that is gone has begun.
func (u *Unpacker) resume(ctx context.Context, sink Sink, kept bool) error {
	j, err := u.readJournal()
	if err != nil || j == nil {
		return err
	}
	e, err := envelope.Open(j.Payload)
	if err != nil {
		return fmt.Errorf("%s: %w", u.journal, err)
	}
	l, err := u.ledger(e.Source)
	if err != nil {
		return err
	}
	if kept || u.cfg.QoS < 2 {
		missing := l.missing(e)
		done := slices.DeleteFunc(slices.Clone(j.Todo), func(n uint64) bool { return slices.Contains(missing, n) })
		if err := u.release(sink, done); err != nil {
			return err
		}
	} else {
		u.log.Warn("the broker has forgotten what was on its way: those messages are sent again and may come twice",
			"source", e.Source, "messages", len(j.Todo))
		l.forget(e.Epoch, j.Todo)
		if err := u.save(l); err != nil {
			return err
		}
	}
	return u.handle(ctx, e, l.missing(e), sink, nil)
}

// release ends QoS 2 for these messages.
func (u *Unpacker) release(sink Sink, numbers []uint64) error {
	if u.cfg.QoS < 2 {
		return nil
	}
	for part := range slices.Chunk(numbers, batch) {
		ids := make([]uint16, 0, batch)
		for _, n := range part {
			ids = append(ids, packetID(n))
		}
		if err := sink.Release(ids); err != nil {
			return fmt.Errorf("to: %w", err)
		}
	}
	return nil
}

// packetID is the identifier of a message's packet. No two of an envelope have the
// same.
func packetID(number uint64) uint16 { return uint16(1 + number%65535) }

func numbered(e *envelope.Envelope, numbers []uint64, again bool) []upstream.Numbered {
	var out []upstream.Numbered
	for _, n := range numbers {
		out = append(out, upstream.Numbered{Message: e.Messages[n-e.First], ID: packetID(n), Again: again})
	}
	return out
}
