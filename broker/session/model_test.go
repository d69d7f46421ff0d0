package session_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"sluice/broker/session"
)

var courses = flag.Int("courses", 3000, "random courses of the model test")

// TestModel sends messages through random courses of connects, drops, refused
// writes, lost packets and acknowledgements in any order, and holds what a client
// sees against what it must see.
func TestModel(t *testing.T) {
	for seed := range uint64(*courses) {
		w := newWorld(t, seed)
		for range 200 {
			w.step()
		}
		w.finish()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// world is a session, the messages put into it and a client that keeps to the
// protocol while its connection does what it likes.
type world struct {
	t    *testing.T
	rand *rand.Rand
	pool *session.Pool
	s    *session.Session
	link *link // nil: not connected

	receiveMax int
	queued     [3][]int // numbers of the messages by QoS
	count      int

	wire  []packet     // sent by the session and not read by the client
	seen  map[int]bool // messages that the session has sent
	acks  []packet     // what the client still has to answer, on this connection
	open  map[uint16]bool
	got   [3][]int        // first receptions by QoS, in order
	known [3]map[int]bool // those
	half  map[uint16]bool // QoS 2: identifiers between PUBLISH and PUBREL
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 9)), seen: map[int]bool{}, half: map[uint16]bool{}}
	for q := range w.known {
		w.known[q] = map[int]bool{}
	}
	w.pool = session.NewPool(session.Limits{Window: 1 + w.rand.IntN(6)})
	w.s = w.pool.New()
	return w
}

func (w *world) step() {
	switch n := w.rand.IntN(20); {
	case n < 7:
		w.publish()
	case n < 12:
		w.read()
	case n < 16:
		w.answer()
	case n < 17 && w.link == nil:
		w.connect()
	case n == 17 && w.link != nil:
		w.drop()
	case n == 18 && w.link != nil:
		w.link.room = w.rand.IntN(4)
	case n == 19 && w.link != nil:
		w.link.room = -1
		w.s.Pump()
	}
	w.collect()
}

func (w *world) publish() {
	w.count++
	qos := byte(w.rand.IntN(3))
	if qos > 0 {
		w.queued[qos] = append(w.queued[qos], w.count)
	}
	if why := w.s.Deliver(message(strconv.Itoa(w.count)), session.Delivery{QoS: qos}); why != session.None {
		w.t.Errorf("dropped: %v", why)
	}
}

// collect moves what the session has sent to the wire, and looks at it.
func (w *world) collect() {
	if w.link == nil {
		return
	}
	for _, p := range w.link.take() {
		w.wire = append(w.wire, p)
		if p.release || p.qos == 0 {
			continue
		}
		n, _ := strconv.Atoi(p.payload)
		if p.dup != w.seen[n] {
			w.t.Errorf("message %d has DUP %v", n, p.dup)
		}
		if w.open[p.id] {
			w.t.Errorf("identifier %d is in use", p.id)
		}
		w.seen[n], w.open[p.id] = true, true
		if len(w.open) > w.receiveMax {
			w.t.Errorf("%d in flight, the client takes %d", len(w.open), w.receiveMax)
		}
	}
}

// read lets the client see the next packet.
func (w *world) read() {
	if len(w.wire) == 0 {
		return
	}
	p := w.wire[0]
	w.wire = w.wire[1:]
	n, _ := strconv.Atoi(p.payload)
	switch {
	case p.release:
		delete(w.half, p.id)
	case p.qos == 2 && w.half[p.id]: // the client has it already
	case p.qos == 2:
		w.half[p.id] = true
		w.receive(p.qos, n)
	case p.qos == 1:
		w.receive(p.qos, n)
	}
	if p.release || p.qos > 0 {
		w.acks = append(w.acks, p)
	}
}

func (w *world) receive(qos byte, n int) {
	if w.known[qos][n] {
		if qos == 2 {
			w.t.Errorf("message %d of QoS 2 came twice", n)
		}
		return
	}
	w.known[qos][n] = true
	w.got[qos] = append(w.got[qos], n)
}

// answer acknowledges one packet, most often the oldest. A PUBREL is answered
// after its PUBREC, whatever the order.
func (w *world) answer() {
	if len(w.acks) == 0 {
		return
	}
	i := 0
	if w.rand.IntN(4) == 0 {
		i = w.rand.IntN(len(w.acks))
	}
	p := w.acks[i]
	w.acks = slices.Delete(w.acks, i, i+1)
	switch {
	case p.release:
		delete(w.open, p.id)
		w.s.Pubcomp(p.id)
	case p.qos == 1:
		delete(w.open, p.id)
		w.s.Puback(p.id)
	default:
		w.s.Pubrec(p.id, false)
	}
}

func (w *world) connect() {
	w.link = newLink(5)
	if w.rand.IntN(2) == 0 {
		w.link.room = w.rand.IntN(5)
	}
	w.receiveMax = 1 + w.rand.IntN(4)
	w.open = map[uint16]bool{}
	w.s.Attach(w.link, session.Terms{Version: 5, ReceiveMaximum: w.receiveMax})
}

// drop loses what is on the wire, and what the client has not answered.
func (w *world) drop() {
	if w.rand.IntN(2) == 0 {
		w.link.broken = true // found out by the next packet, or never
		w.publish()
	}
	w.s.Detach(w.link)
	w.link, w.wire, w.acks = nil, nil, nil
}

// finish lets everything arrive.
func (w *world) finish() {
	if w.link == nil {
		w.connect()
	}
	w.link.room = -1
	w.s.Pump()
	w.collect()
	for len(w.wire)+len(w.acks) > 0 {
		w.read()
		w.answer()
		w.collect()
	}
	for qos := 1; qos <= 2; qos++ {
		if fmt.Sprint(w.got[qos]) != fmt.Sprint(w.queued[qos]) {
			w.t.Errorf("QoS %d: got %v, want %v", qos, w.got[qos], w.queued[qos])
		}
	}
	if left := w.pool.Stats().Bytes; left != 0 {
		w.t.Errorf("%d bytes are left", left)
	}
}
