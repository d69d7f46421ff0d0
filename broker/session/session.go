// Package session delivers messages to the subscribers of the broker: for each
// session one ordered queue, one window of what is in flight, the packet
// identifiers of that direction and the exchanges of QoS 1 and 2 [MQTT 5.0
// section 4.3 to 4.6 and 4.9]. Sessions are in memory, or kept by package journal:
// then the contents of what is queued are read back when their turn comes, and
// QoS 2 waits at two points for the journal, see its FORMAT.md.
//
// Nothing runs by itself: a session writes whole packets to its Link as far as the
// link and the window have room, in the goroutine of whoever queued a message,
// brought an acknowledgement or made room. Who queues a message never waits, not
// even for a disk that another reads from. So a subscriber that is slow, or gone, costs its own queue and holds up nobody. At a
// bound the newest message is dropped, and counted by reason.
//
// The package knows neither connections nor topic filters, and no packets but
// PUBLISH and PUBREL.
package session

import (
	"slices"
	"sync"

	"sluice/broker/journal"
)

// Message is an application message, shared by all sessions that have it queued.
// It must not change.
type Message = journal.Message

// Delivery says how one session gets a message.
type Delivery struct {
	QoS         byte // 0, 1 or 2
	Retain      bool
	Identifiers []uint32      // of the subscriptions, each from 1 to 268435455
	Stored      bool          // the message is kept elsewhere, so that its content costs the session nothing
	Item        *journal.Item // at QoS 1 and 2 to a session that is kept: the message there
}

// Link is the way to a connected client. Its methods are called with the session
// locked: they must not block and must not call the session.
type Link interface {
	// Room reports whether the link takes another packet. When it does so again,
	// its owner calls Pump.
	Room() bool
	// Send takes a copy of a packet. An error means that the link has ended: the
	// packet was not sent.
	Send(packet []byte) error
}

// Terms are what a client said in CONNECT about what it can receive.
type Terms struct {
	Version        byte // of the protocol: 3, 4 or 5
	ReceiveMaximum int  // messages of QoS 1 and 2 in flight; 0: not said
	MaximumPacket  int  // bytes of a packet; 0: not said
}

// Session is what the broker keeps for one client. Its methods may be called from
// any goroutine.
type Session struct {
	pool *Pool

	mu      sync.Mutex
	link    Link // nil: the client is away
	terms   Terms
	window  int
	held    bool
	closed  bool
	bytes   int
	queue   deque[entry]       // not sent yet, in order
	flights map[uint16]*flight // sent and not settled
	resend  deque[uint16]      // identifiers of flights that the present link has yet to see
	active  int                // flights that it has seen
	ordinal uint64             // of the last message of QoS 1 or 2
	packet  []byte             // room to encode in

	// Of a session that is kept.
	kept     *journal.Session // nil: it is not
	reader   *journal.Reader  // nil: nothing is being read back
	resident int              // bytes of contents in memory
	stored   int              // bytes of contents in the journal, with what copies cost
	missing  *entry           // the next one, when its content must be read first
	reading  bool             // one goroutine is at it, and will go on
	received deque[uint16]    // flights whose PUBREC is being written
	sent     uint64           // the highest ordinal sent
}

// entry is a message in a session.
type entry struct {
	message *Message // nil: to be read from the journal
	Delivery
	ordinal uint64 // counts the messages of QoS 1 and 2
}

// flight is a message of QoS 1 or 2 between PUBLISH and its last acknowledgement.
type flight struct {
	entry
	active   bool   // sent on the present link
	released bool   // PUBREC has come, PUBREL is what to resend
	batch    uint64 // of the journal, which makes it so; 0: none
}

const (
	entryBytes     = 128       // what a message costs beside its content, about
	residentBytes  = 256 << 10 // of contents that wait in memory for a client that is connected
	maxIdentifiers = 65535     // packet identifiers of one direction
)

// identifier returns the packet identifier of a message. It follows from the
// ordinal, so that it is the same whenever the message is sent.
func (e entry) identifier() uint16 { return uint16((e.ordinal-1)%maxIdentifiers + 1) }

func (e entry) cost() int {
	switch {
	case e.Item != nil:
		return entryBytes + e.Item.Size()
	case e.Stored:
		return entryBytes
	}
	return entryBytes + e.message.Size()
}

// Attach connects the session to a client. What was in flight is sent again, in
// its order, PUBLISH with DUP [MQTT-4.4.0-1], then what is queued. An earlier link
// gets nothing more, as if it had been detached.
func (s *Session) Attach(link Link, terms Terms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.detach() // from a connection that is taken over
	s.link, s.terms, s.held = link, terms, false
	s.window = s.pool.limits.Window
	if terms.ReceiveMaximum > 0 {
		s.window = min(s.window, terms.ReceiveMaximum)
	}
	s.rewind()
	s.pump(true)
}

// rewind makes everything in flight wait for being sent again.
func (s *Session) rewind() {
	inOrder := make([]*flight, 0, len(s.flights))
	for _, f := range s.flights {
		f.active = false
		inOrder = append(inOrder, f)
	}
	slices.SortFunc(inOrder, func(a, b *flight) int {
		if a.ordinal < b.ordinal {
			return -1
		}
		return 1
	})
	s.active, s.resend = 0, deque[uint16]{}
	for _, f := range inOrder {
		s.resend.push(f.identifier())
	}
}

// Detach ends the use of link, if it is still the session's. Messages of QoS 0
// that are queued will not be sent.
func (s *Session) Detach(link Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == link {
		s.detach()
	}
}

func (s *Session) detach() {
	if s.link == nil {
		return
	}
	s.link = nil
	if s.kept != nil {
		s.kept.Sent(s.sent)
	}
	var kept deque[entry]
	for e, ok := s.queue.first(); ok; e, ok = s.queue.first() {
		s.queue.pop()
		if e.QoS == 0 {
			s.forget(e)
		} else {
			s.unload(&e)
			kept.push(e)
		}
	}
	s.queue = kept
	for _, f := range s.flights {
		s.unload(&f.entry)
	}
	s.reader = nil
}

// Attached reports whether a client is connected.
func (s *Session) Attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link != nil
}

// Hold keeps messages from being sent on link until Release. It does nothing if
// link is not the session's.
func (s *Session) Hold(link Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = s.held || s.link == link
}

// Release ends Hold.
func (s *Session) Release(link Link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link == link {
		s.held = false
		s.pump(true)
	}
}

// Close forgets everything: the session has ended. To end what the journal keeps
// of it is left to the caller.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	for e, ok := s.queue.first(); ok; e, ok = s.queue.first() {
		s.queue.pop()
		s.drop(e)
	}
	for _, f := range s.flights {
		s.drop(f.entry)
	}
	if s.kept != nil {
		s.pool.keepers.Add(-1)
	}
	s.closed, s.link, s.active = true, nil, 0
	s.queue, s.resend, s.flights, s.received, s.reader = deque[entry]{}, deque[uint16]{}, nil, deque[uint16]{}, nil
}

// drop forgets an entry of a session that ends.
func (s *Session) drop(e entry) {
	s.forget(e)
	if e.Item != nil {
		e.Item.Drop()
	}
}
