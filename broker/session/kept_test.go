package session_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/broker/journal"
	"sluice/broker/session"
	"sluice/gateway/durable/durabletest"
)

var lives = flag.Int("lives", 600, "courses of the test of power cuts, of five cuts or kills each")

// TestPowerCuts has sessions on a disk whose power fails, or whose process is
// killed, while messages come and clients come and go. What was acknowledged
// arrives, in order, and at QoS 2 once; subscriptions, identifiers and ends of
// sessions are what was acknowledged of them.
func TestPowerCuts(t *testing.T) {
	for seed := range uint64(*lives) {
		synctest.Test(t, func(t *testing.T) { course(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestIdentifiersSuffice: what was queued is in flight after a kill, and may be again
// after the next; there are identifiers for all of it.
func TestIdentifiersSuffice(t *testing.T) {
	j, err := journal.OpenFS(durabletest.New(1).Start(), journal.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const inFlight = 40_000
	left := journal.Restored{Last: inFlight, Sent: inFlight}
	for i := range uint64(inFlight) {
		left.Entries = append(left.Entries, journal.Entry{Copy: journal.Copy{Ordinal: i + 1, QoS: 1}, Item: j.NewItem(&journal.Message{Topic: "t"})})
	}
	s := session.NewPool(session.Limits{}).Keep(j.Begin(journal.State{ClientID: "c"}), left)
	m, all := &journal.Message{Topic: "t"}, inFlight
	for s.Deliver(m, session.Delivery{QoS: 1, Item: j.NewItem(m)}) == session.None {
		all++
	}
	if all <= inFlight || all >= 1<<16 {
		t.Errorf("%d messages", all)
	}
}

// state is what is known of something that a crash may undo.
type state int

const (
	absent state = iota // and known to be
	present
	either
)

// site is a broker without connections, between a disk and clients.
type site struct {
	t       *testing.T
	rand    *rand.Rand
	disk    *durabletest.Disk
	cfg     journal.Config
	pool    *session.Pool
	journal *journal.Journal
	cancel  context.CancelFunc
	ended   chan error
	clients map[string]*client // by name, those whose session may be there
	born    int
	count   int // messages published
	failing bool
}

// client is a subscriber and publisher of another machine, which does not crash.
type client struct {
	name    string
	kept    *journal.Session
	session *session.Session
	link    *shared
	began   state // whether the session is kept
	over    bool  // it was ended
	sleeps  bool  // it gets few messages, and comes last

	wire, acks []packet
	half       map[uint16]bool // QoS 2: between PUBLISH and PUBREL
	got        [3][]int
	owed       [3]map[int]bool // what was acknowledged to the publisher and has to arrive
	filters    map[string]state
	inbox      map[uint16]state
}

func course(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	s := &site{
		t: t, rand: r, disk: durabletest.New(seed), clients: map[string]*client{},
		cfg: journal.Config{SegmentBytes: 32 << 10, MaxBytes: 1 << 20},
	}
	defer s.stop() // or its goroutines would hide what failed
	for range 5 {
		s.faults()
		if s.start() {
			for range 10 + r.IntN(60) {
				s.step()
			}
		}
		s.crash()
	}
	s.disk.SetFaults(durabletest.Faults{})
	if !s.start() {
		t.Fatal("does not start on a good disk")
	}
	s.finish()
	s.cancel()
	if err := errors.Join(<-s.ended, s.journal.Close()); err != nil {
		t.Error(err)
	}
	s.journal = nil
	if m := s.disk.Stats().Misuse; len(m) > 0 {
		t.Errorf("misuse of the disk: %v", m)
	}
}

// faults makes the disk a bad one now and then, and has the power fail some time.
func (s *site) faults() {
	oneIn := func(n int) bool { return s.rand.IntN(n) == 0 }
	s.failing = false
	s.disk.SetFaults(durabletest.Faults{})
	if oneIn(3) {
		bad := rand.New(rand.NewPCG(s.rand.Uint64(), 1))
		s.disk.SetFaults(durabletest.Faults{
			Sync:  func(string) bool { return bad.IntN(15) == 0 },
			Write: func(string) bool { return bad.IntN(50) == 0 },
		})
	}
	if oneIn(2) {
		s.disk.CutAfter(20 + s.rand.IntN(300))
	}
}

// start opens the journal and compares it with what it has to be.
func (s *site) start() bool {
	j, err := journal.OpenFS(s.disk.Start(), s.cfg, nil)
	if err != nil {
		return false
	}
	s.cancel, s.ended = func() {}, make(chan error, 1)
	s.ended <- nil
	s.journal, s.pool = j, session.NewPool(session.Limits{Window: 1 + s.rand.IntN(6), StoredBytes: 1 << 30})
	found := map[string]bool{}
	for _, kept := range j.Sessions() {
		name := kept.State().ClientID
		c := s.clients[name]
		if c == nil || c.began == absent || found[name] {
			s.t.Fatalf("session %s should not be there", name)
		}
		found[name] = true
		s.restore(c, kept)
	}
	for name, c := range s.clients {
		if !found[name] {
			if c.began == present {
				s.t.Fatalf("session %s is gone", name)
			}
			delete(s.clients, name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- j.Run(ctx) }()
	for _, name := range slices.Sorted(maps.Keys(s.clients)) {
		if c := s.clients[name]; c.over { // it was to end, and has not
			s.end(c)
		}
	}
	return true
}

func (s *site) restore(c *client, kept *journal.Session) {
	r := kept.Restored()
	c.kept, c.session, c.began = kept, s.pool.Keep(kept, r), present
	for filter, was := range c.filters {
		_, is := r.Subscriptions[filter]
		c.filters[filter] = s.settled(was, is, "subscription "+filter)
	}
	for id, was := range c.inbox {
		c.inbox[id] = s.settled(was, slices.Contains(r.Received, id), fmt.Sprint("identifier ", id))
	}
}

// settled compares what is found with what is known.
func (s *site) settled(was state, is bool, what string) state {
	if was == present && !is || was == absent && is {
		s.t.Fatalf("%s: there %v", what, is)
	}
	if is {
		return present
	}
	return absent
}

// crash ends the process, in good order or not.
func (s *site) crash() {
	for _, c := range s.clients {
		c.drop()
	}
	how := s.rand.IntN(4)
	if s.journal != nil && how == 0 {
		s.cancel()
		<-s.ended
		s.ended <- nil
		_ = s.journal.Close()
	}
	if how == 1 {
		s.disk.Kill()
	} else {
		s.disk.Cut()
	}
	s.stop()
	s.disk.CutAfter(0)
}

// stop ends the process, unless it has ended.
func (s *site) stop() {
	if s.journal != nil {
		s.cancel()
		<-s.ended
		_ = s.journal.Close()
		s.journal = nil
	}
}

func (s *site) step() {
	names := slices.Sorted(maps.Keys(s.clients))
	if len(names) == 0 || len(names) < 4 && s.rand.IntN(15) == 0 {
		s.begin()
		return
	}
	c := s.clients[names[s.rand.IntN(len(names))]]
	switch n := s.rand.IntN(24); {
	case n < 6:
		s.publish()
	case n < 14:
		for range 1 + s.rand.IntN(12) {
			c.read(s.t)
			c.answer(s.rand)
		}
	case n < 17:
		c.connect(s.rand)
	case n == 17:
		c.drop()
	case n == 18:
		s.subscribe(c)
	case n == 19:
		s.receive(c)
	case n == 20:
		s.free(c)
	case n == 21:
		time.Sleep(time.Duration(s.rand.IntN(1500)) * time.Millisecond)
	case n == 22 && s.rand.IntN(8) == 0:
		s.end(c)
	case n == 23:
		s.outage()
	}
	synctest.Wait()
	c.collect()
}

// outage has every write fail from now on, or no more.
func (s *site) outage() {
	if s.failing = !s.failing && s.rand.IntN(3) == 0; s.failing {
		s.disk.SetFaults(durabletest.Faults{Write: func(string) bool { return true }})
		return
	}
	s.disk.SetFaults(durabletest.Faults{})
	if s.journal.Err() != nil {
		time.Sleep(15 * time.Second) // the log tries again, then the journal
	}
}

func (s *site) begin() {
	s.born++
	c := &client{
		name: fmt.Sprint("c", s.born), began: either, sleeps: s.born%3 == 2, half: map[uint16]bool{}, filters: map[string]state{}, inbox: map[uint16]state{},
		owed: [3]map[int]bool{{}, {}, {}},
	}
	c.kept = s.journal.Begin(journal.State{ClientID: c.name, Expiry: time.Hour})
	c.session = s.pool.Keep(c.kept, journal.Restored{})
	s.clients[c.name] = c
}

// done reports whether what wait waits for is on the medium, if anybody cares.
func (s *site) done(wait func(context.Context) error) bool {
	return s.rand.IntN(3) > 0 && wait(s.t.Context()) == nil
}

// publish sends a few messages, as the broker does.
func (s *site) publish() {
	type sent struct {
		number int
		qos    byte
		to     []*client
		wait   func(context.Context) error
	}
	var all []sent
	for range 1 + s.rand.IntN(4) {
		s.count++
		m := message(strconv.Itoa(s.count) + " " + strings.Repeat("x", s.rand.IntN(3000)))
		p := sent{number: s.count, qos: byte(1 + s.rand.IntN(2))}
		it := s.journal.NewItem(m)
		for _, name := range slices.Sorted(maps.Keys(s.clients)) {
			c := s.clients[name]
			if gets := s.rand.IntN(8); gets == 0 || gets < 6 && !c.sleeps {
				if c.over {
					continue
				}
				if why := c.session.Deliver(m, session.Delivery{QoS: p.qos, Item: it}); why != session.None {
					s.t.Fatalf("dropped: %v", why)
				}
				p.to = append(p.to, c)
			}
		}
		p.wait = it.Store(s.rand.IntN(4) > 0)
		all = append(all, p)
	}
	for _, p := range all {
		if p.wait == nil || !s.done(p.wait) {
			continue
		}
		for _, c := range p.to {
			c.owed[p.qos][p.number], c.began = true, present
		}
	}
}

func (s *site) subscribe(c *client) {
	filter := fmt.Sprint("f", s.rand.IntN(5))
	if c.over {
		return
	}
	if c.filters[filter] == present && s.rand.IntN(2) == 0 {
		c.filters[filter] = either
		if s.done(c.kept.Unsubscribe(filter)) {
			c.filters[filter], c.began = absent, present
		}
		return
	}
	if c.filters[filter] != present {
		c.filters[filter] = either
	}
	wait, err := c.kept.Subscribe(filter, journal.Subscription{Options: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	if s.done(wait) {
		c.filters[filter], c.began = present, present
	}
}

// receive takes a message of QoS 2 from the client.
func (s *site) receive(c *client) {
	id := uint16(1 + s.rand.IntN(5))
	if c.over || c.inbox[id] != absent {
		return
	}
	s.count++
	m := message(strconv.Itoa(s.count))
	it := s.journal.NewItem(m)
	c.kept.Receive(it, id)
	c.session.Deliver(m, session.Delivery{QoS: 1, Item: it})
	c.inbox[id] = either
	if wait := it.Store(true); s.done(wait) {
		c.inbox[id], c.owed[1][s.count], c.began = present, true, present
	}
}

func (s *site) free(c *client) {
	id := uint16(1 + s.rand.IntN(5))
	if c.over || c.inbox[id] == absent {
		return
	}
	c.inbox[id] = either
	if s.done(c.kept.Free(id)) {
		c.inbox[id], c.began = absent, present
	}
}

func (s *site) end(c *client) {
	c.drop()
	c.session.Close()
	c.over = true
	if c.began == present {
		c.began = either
	}
	if s.done(c.kept.End()) {
		delete(s.clients, c.name)
	}
}

// finish lets everything arrive that has to.
func (s *site) finish() {
	for _, name := range slices.Sorted(maps.Keys(s.clients)) {
		c := s.clients[name]
		if c.over {
			continue
		}
		c.drop()
		c.connect(nil)
		for range 3 { // QoS 2 goes on after commits, what it keeps waiting after that
			for idle := false; !idle; {
				time.Sleep(50 * time.Millisecond)
				synctest.Wait()
				c.collect()
				idle = len(c.wire)+len(c.acks) == 0
				for len(c.wire)+len(c.acks) > 0 {
					c.read(s.t)
					c.answer(nil)
					c.collect()
				}
			}
		}
		c.judge(s.t)
	}
	if st := s.pool.Stats(); st.Stored != 0 && !slices.ContainsFunc(slices.Collect(maps.Values(s.clients)), func(c *client) bool { return c.over }) {
		s.t.Errorf("%d bytes are left", st.Stored)
	}
}

func (c *client) judge(t *testing.T) {
	t.Helper()
	for qos := 1; qos <= 2; qos++ {
		if !slices.IsSorted(c.got[qos]) {
			t.Errorf("%s, QoS %d: out of order: %v", c.name, qos, c.got[qos])
		}
		for n := range c.owed[qos] {
			if !slices.Contains(c.got[qos], n) {
				t.Errorf("%s, QoS %d: message %d was acknowledged and is lost", c.name, qos, n)
			}
		}
	}
}

func (c *client) connect(r *rand.Rand) {
	if c.link != nil || c.over || c.sleeps && r != nil {
		return
	}
	c.link = &shared{link: newLink(5)}
	maximum := 0
	if r != nil {
		c.link.room, maximum = -1+r.IntN(50), 1+r.IntN(8)
	}
	c.session.Attach(c.link, session.Terms{Version: 5, ReceiveMaximum: maximum})
}

func (c *client) drop() {
	if c.link != nil {
		c.session.Detach(c.link)
	}
	c.link, c.wire, c.acks = nil, nil, nil
}

func (c *client) collect() {
	if c.link != nil {
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		c.wire = append(c.wire, c.link.take()...)
	}
}

// shared is a link that the session uses in the goroutine of the journal, too.
type shared struct {
	mu sync.Mutex
	*link
}

func (l *shared) Room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link.Room()
}

func (l *shared) Send(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.link.Send(b)
}

func (c *client) read(t *testing.T) {
	c.collect()
	if len(c.wire) == 0 {
		return
	}
	p := c.wire[0]
	c.wire = c.wire[1:]
	if p.release {
		delete(c.half, p.id)
		c.acks = append(c.acks, p)
		return
	}
	number, _, _ := strings.Cut(p.payload, " ")
	n, _ := strconv.Atoi(number)
	known := slices.Contains(c.got[p.qos], n)
	if p.qos == 2 && !c.half[p.id] && known {
		t.Fatalf("%s: message %d of QoS 2 came twice", c.name, n)
	}
	if !(p.qos == 2 && c.half[p.id]) && !known {
		c.got[p.qos] = append(c.got[p.qos], n)
	}
	c.half[p.id] = c.half[p.id] || p.qos == 2
	c.acks = append(c.acks, p)
}

// answer acknowledges one packet, the oldest without r.
func (c *client) answer(r *rand.Rand) {
	if len(c.acks) == 0 {
		return
	}
	i := 0
	if r != nil && r.IntN(4) == 0 {
		i = r.IntN(len(c.acks))
	}
	p := c.acks[i]
	c.acks = slices.Delete(c.acks, i, i+1)
	switch {
	case p.release:
		c.session.Pubcomp(p.id)
	case p.qos == 1:
		c.session.Puback(p.id)
	default:
		c.session.Pubrec(p.id, false)
	}
}
