package journal

import (
	"context"
	"time"
)

// State is what a session is, beside its messages and subscriptions.
type State struct {
	ClientID string
	User     string
	Expiry   time.Duration // after the end of the connection, in whole seconds
	Since    time.Time     // when the connection ended; zero: it has not
	Will     *Will         // that is due; nil: none
}

// Will is the message of a client that has gone, to be published when it is due.
type Will struct {
	Due        time.Time
	Topic      string
	Payload    []byte
	Properties []byte        // as in Message
	Life       time.Duration // of the message, from when it is published; 0: it does not expire
	QoS        byte
	Retain     bool
}

// Subscription is what SUBSCRIBE says of a filter.
type Subscription struct {
	Options    byte   // as in MQTT 5
	Identifier uint32 // 0: none
}

// Copy is a message as one session gets it.
type Copy struct {
	Ordinal     uint64 // from 1, counts the messages of the session
	QoS         byte   // 1 or 2
	Retain      bool
	Identifiers []uint32
}

// Entry is a copy that a session had when the journal was opened.
type Entry struct {
	Copy
	Item     *Item
	Released bool // the client has it, and waits for PUBREL
}

// Restored is what a session was when the journal was opened.
type Restored struct {
	Subscriptions map[string]Subscription
	Received      []uint16 // identifiers that the publisher holds
	Entries       []Entry  // in order
	Last, Sent    uint64   // ordinals: the highest given, and the highest sent
}

// Session is the part of a session that is kept. Its methods never block.
type Session struct {
	journal *Journal
	number  uint64
	wake    func(written uint64) // see Wake

	// Guarded by the journal's mutex.
	state    State
	progress progress
	records  map[key]place
	filters  filters
	freeing  int // identifiers whose end is not written yet
	changed  changes
	ended    bool
	restored *Restored
}

// filters are those subscribed to, with the bytes they come to.
type filters struct {
	names map[string]bool
	bytes int
}

func (f *filters) add(name string) bool {
	if f.names[name] {
		return true
	}
	if f.bytes+len(name) > maxFilters {
		return false
	}
	if f.names == nil {
		f.names = map[string]bool{}
	}
	f.names[name] = true
	f.bytes += len(name)
	return true
}

func (f *filters) remove(name string) {
	if f.names[name] {
		delete(f.names, name)
		f.bytes -= len(name)
	}
}

// changes are records of the session that are not written yet.
type changes struct{ state, progress bool }

// key tells the records of a session apart of which the newest counts.
type key struct {
	kind   byte
	id     uint16
	filter string
}

// Begin returns a new session.
func (j *Journal) Begin(s State) *Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lastSession++
	n := j.newSession(j.lastSession)
	n.state = s
	j.push(n.stateOp()) // before all that refers to it
	return n
}

// stateOp leaves out a will that no record takes.
func (s *Session) stateOp() op {
	rec := appendState(nil, s.number, s.state)
	if len(rec) > s.journal.large {
		st := s.state
		st.Will = nil
		rec = appendState(nil, s.number, st)
	}
	return op{session: s, key: key{kind: kindSession}, data: rec}
}

func (j *Journal) newSession(number uint64) *Session {
	s := &Session{journal: j, number: number, records: map[key]place{}, progress: progress{cursor: 1}}
	j.sessions[number] = s
	return s
}

// Wake has f called, from the goroutine of Run, after a batch was written that
// holds a message of QoS 2 for the session, or what it has released, and when it
// is worth trying again to read. It gets the number of the batch. It must be set
// before anything else is done with the session.
func (s *Session) Wake(f func(written uint64)) { s.wake = f }

// State returns what was last set.
func (s *Session) State() State {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	return s.state
}

// Restored gives away what the session was when the journal was opened.
func (s *Session) Restored() Restored {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	r := s.restored
	s.restored = nil
	if r == nil {
		return Restored{}
	}
	return *r
}

// touch has records of the session written some time. The mutex is held.
func (s *Session) touch(c changes) {
	if s.ended {
		return
	}
	s.changed = changes{s.changed.state || c.state, s.changed.progress || c.progress}
	s.journal.dirty[s] = true
}

// Set changes the state, and has it written without delay.
func (s *Session) Set(state State) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	s.state = state
	s.touch(changes{state: true})
	j.nudge()
}

// Sent takes note of the highest ordinal sent.
func (s *Session) Sent(ordinal uint64) {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	if ordinal > s.progress.sent {
		s.progress.sent = ordinal
		s.touch(changes{progress: true})
	}
}

// Subscribe adds a subscription, or replaces the one to the same filter. The error
// is ErrLarge.
func (s *Session) Subscribe(filter string, sub Subscription) (wait func(context.Context) error, err error) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	k := key{kind: kindSubscription, filter: filter}
	if !s.filters.add(filter) {
		return nil, ErrLarge
	}
	j.push(op{session: s, key: k, data: appendSubscription(nil, s.number, filter, sub)})
	j.nudge()
	return j.commit.Wait, nil
}

// Unsubscribe takes a subscription away.
func (s *Session) Unsubscribe(filter string) (wait func(context.Context) error) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	s.filters.remove(filter)
	data := appendString(appendNumber(kindUnsubscription, s.number), filter)
	j.push(op{session: s, key: key{kind: kindSubscription, filter: filter}, data: data, gone: true})
	j.nudge()
	return j.commit.Wait
}

// Free makes the packet identifier of a message received with QoS 2 free again.
func (s *Session) Free(id uint16) (wait func(context.Context) error) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	s.freeing++
	j.push(op{session: s, key: key{kind: kindReceived, id: id}, data: appendIdentifier(kindFreed, s.number, id), gone: true})
	j.nudge()
	return j.commit.Wait
}

// Freed returns how to wait until all identifiers that were freed are; nil when
// they are.
func (s *Session) Freed() (wait func(context.Context) error) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.freeing == 0 {
		return nil
	}
	j.nudge()
	return j.commit.Wait
}

// Settle takes note that the session is done with a copy of it.
func (s *Session) Settle(it *Item, ordinal uint64) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if s.ended || s.progress.settled(ordinal) {
		return
	}
	s.progress.settle(ordinal)
	if it.recorded {
		s.touch(changes{progress: true})
	}
	j.release(it)
}

// Release takes note that the client has a copy of QoS 2. PUBREL may leave when the
// batch whose number it returns was written.
func (s *Session) Release(ordinal uint64) (batch uint64) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	s.progress.release(ordinal)
	s.touch(changes{progress: true})
	j.nudge()
	return j.batch
}

// End ends the session. What it has left to settle must have been dropped, see
// Item.Drop.
func (s *Session) End() (wait func(context.Context) error) {
	j := s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if !s.ended {
		s.ended = true
		delete(j.sessions, s.number)
		delete(j.dirty, s)
		delete(j.stuck, s)
		j.push(op{session: s, key: key{kind: kindEnd}, data: appendNumber(kindEnd, s.number)})
	}
	j.nudge()
	return j.commit.Wait
}

// NewReader returns a reader for the session's messages.
func (s *Session) NewReader() *Reader { return &Reader{journal: s.journal} }

// Retry has the session woken some time: it could not read.
func (s *Session) Retry() {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	if !s.ended {
		s.journal.stuck[s] = true
	}
}
