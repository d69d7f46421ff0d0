package broker_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker"
	"sluice/broker/auth"
	"sluice/broker/journal"
	"sluice/broker/topic"
	"sluice/gateway/durable/durabletest"
)

// house is a broker on a disk that can be cut off.
type house struct {
	*broker.Broker
	t       *testing.T
	disk    *durabletest.Disk
	journal *journal.Journal
	stop    func() error
	end     func()
}

func keep(t *testing.T, disk *durabletest.Disk, cfg broker.Config, taps ...broker.Tap) *house {
	t.Helper()
	j, err := journal.OpenFS(disk.Start(), journal.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	cfg.Journal = j
	b, stop := startWithStop(t, cfg, taps...)
	h := &house{Broker: b, t: t, disk: disk, journal: j, stop: stop, end: func() { cancel(); <-ended; ended <- nil; _ = j.Close() }}
	t.Cleanup(h.close)
	return h
}

// close ends the house in good order.
func (h *house) close() {
	_ = h.stop()
	h.end()
}

// cut takes the power away, and returns the house as it starts again.
func (h *house) cut(cfg broker.Config, taps ...broker.Tap) *house {
	h.t.Helper()
	h.disk.Cut()
	h.close()
	return keep(h.t, h.disk, cfg, taps...)
}

// back connects a client that finds its session.
func (h *house) back(options ...option) *client {
	h.t.Helper()
	c, ack := tryConnect(h.t, h.Broker, options...)
	if ack.ReasonCode != 0 || !ack.SessionPresent {
		h.t.Fatalf("CONNACK 0x%02x, session present %v", ack.ReasonCode, ack.SessionPresent)
	}
	return c
}

// part disconnects and returns when the broker has taken note of it: it closes the
// socket after that.
func (c *client) part() {
	c.t.Helper()
	c.send(disconnect(0))
	c.wantClosed()
}

func pubrec(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id}
}

func pubcomp(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubcomp}, PacketID: id}
}

// TestSessionSurvives: subscriptions with their options, and what was acknowledged
// to publishers, in order.
func TestSessionSurvives(t *testing.T) {
	for _, v := range []byte{4, 5} {
		h := keep(t, durabletest.New(uint64(v)), broker.Config{})
		c := connect(t, h.Broker, version(v), session("c", false))
		c.subscribe(1, 1, "a/+")
		c.subscribe(2, 2, "b")
		c.subscribe(3, 1, "gone", "$share/g/s/#")
		c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 4, Filters: packets.Subscriptions{{Filter: "gone"}}})
		c.want(packets.Unsuback)
		c.part()
		pub := connect(t, h.Broker)
		for i := range uint16(40) {
			pub.send(publish([]string{"a/x", "b", "gone", "s/y"}[i%4], strconv.Itoa(int(i)), byte(1+i/4%2), i+1))
		}
		for i := range uint16(40) {
			pub.wantAnswer([]byte{packets.Puback, packets.Pubrec}[i/4%2], i+1, 0)
		}
		h = h.cut(broker.Config{})
		c = h.back(version(v), session("c", false))
		for i := range 40 {
			if i%4 == 2 {
				continue
			}
			pk := c.want(packets.Publish)
			if string(pk.Payload) != strconv.Itoa(i) || pk.FixedHeader.Dup {
				t.Fatalf("got %s, DUP %v, want %d", pk.Payload, pk.FixedHeader.Dup, i)
			}
			switch pk.FixedHeader.Qos {
			case 1:
				c.send(puback(pk.PacketID))
			case 2:
				c.send(pubrec(pk.PacketID))
			}
		}
	}
}

// TestQoS2SurvivesOut: a message whose PUBREL was seen never comes again, and the
// identifier is not free before PUBCOMP.
func TestQoS2SurvivesOut(t *testing.T) {
	h := keep(t, durabletest.New(1), broker.Config{})
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 2, "a")
	pub := connect(t, h.Broker)
	pub.send(publish("a", "1", 2, 1), publish("a", "2", 2, 2))
	first, second := c.wantUnanswered("a", "1", false), c.wantUnanswered("a", "2", false)
	c.send(pubrec(first.PacketID))
	c.wantAnswer(packets.Pubrel, first.PacketID, 0)
	h = h.cut(broker.Config{})
	c = h.back(session("c", false))
	c.wantAnswer(packets.Pubrel, first.PacketID, 0)
	if pk := c.wantUnanswered("a", "2", true); pk.PacketID != second.PacketID {
		t.Errorf("identifier %d became %d", second.PacketID, pk.PacketID)
	}
	c.send(pubcomp(first.PacketID), pubrec(second.PacketID))
	c.wantAnswer(packets.Pubrel, second.PacketID, 0)
	c.send(pubcomp(second.PacketID))
	c.wantPong()
}

// TestQoS2SurvivesIn: a message that a publisher repeats after PUBREC was lost is
// taken once, also for the taps if they had not stored it; a new one under the same
// identifier is a new one.
func TestQoS2SurvivesIn(t *testing.T) {
	h := keep(t, durabletest.New(1), broker.Config{})
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 2, "a")
	c.part()
	pub := connect(t, h.Broker, session("p", false))
	pub.send(publish("a", "once", 2, 7))
	pub.wantAnswer(packets.Pubrec, 7, 0)
	var s store
	h = h.cut(broker.Config{}, s.tap)
	pub = h.back(session("p", false))
	pub.send(repeated(publish("a", "once", 2, 7)))
	pub.wantAnswer(packets.Pubrec, 7, 0)
	pub.send(repeated(publish("a", "once", 2, 7)), pubrel(7))
	pub.wantAnswer(packets.Pubrec, 7, 0)
	pub.wantAnswer(packets.Pubcomp, 7, 0)
	if got := fmt.Sprint(s.payloads()); got != "[once]" {
		t.Errorf("offered %s", got)
	}
	h = h.cut(broker.Config{})
	pub = h.back(session("p", false))
	pub.send(publish("a", "another", 2, 7))
	pub.wantAnswer(packets.Pubrec, 7, 0)
	c = h.back(session("c", false))
	c.wantUnanswered("a", "once", false)
	c.wantUnanswered("a", "another", false)
	c.wantPong()
}

// TestSessionsThatEnd: a session that a client, its expiry or its user has ended
// does not come back.
func TestSessionsThatEnd(t *testing.T) {
	disk := durabletest.New(1)
	users := people(t, slog.New(slog.DiscardHandler))
	guests := auth.Rights{Read: []string{"#"}, Write: []string{"#"}}
	cfg := broker.Config{Listen: []broker.Listener{{Address: "127.0.0.1:0", Anonymous: &guests}}, Users: users}
	h := keep(t, disk, cfg)
	for _, id := range []string{"clean", "stays", "short"} {
		c := connect(t, h.Broker, version(5), session(id, false), func(pk *packets.Packet) {
			if id == "short" {
				pk.Properties.SessionExpiryInterval = 1
			}
		})
		c.subscribe(1, 1, "a", "b/#")
		c.part()
	}
	for _, name := range []string{"anna", "berta"} {
		c := connect(t, h.Broker, session(name, false), login(name, "geheim"))
		c.subscribe(1, 1, "site/#")
		c.part()
	}
	connect(t, h.Broker, version(5), session("clean", true))
	until(t, func() bool { return h.Stats().Journal.Sessions == 3 }) // also without the short one, which has expired
	pub := connect(t, h.Broker)
	pub.send(publish("a", "x", 1, 1)) // with which everything else is on flash
	pub.wantAnswer(packets.Puback, 1, 0)

	guests.Read = []string{"b/#"}
	cfg.Users = without(t, "berta")
	h = h.cut(cfg)
	if got := h.Stats().Journal.Sessions; got != 2 {
		t.Errorf("%d sessions", got)
	}
	c := h.back(version(5), session("stays", false))
	c.wantMessage("a", "x")
	pub = connect(t, h.Broker)
	pub.send(publish("a", "y", 1, 1), publish("b/c", "z", 1, 2))
	pub.wantAnswer(packets.Puback, 1, 0)
	pub.wantAnswer(packets.Puback, 2, 0)
	c.wantMessage("b/c", "z")
	for _, id := range []string{"clean", "short", "berta"} {
		if _, ack := tryConnect(t, h.Broker, session(id, false)); ack.SessionPresent {
			t.Errorf("the session of %s is back", id)
		}
	}
	c = h.back(session("anna", false), login("anna", "geheim"))
	c.wantPong()
}

// without returns the users but for one.
func without(t *testing.T, name string) *auth.Users {
	t.Helper()
	var left []auth.User
	for _, u := range everybody(t) {
		if u.Name != name {
			left = append(left, u)
		}
	}
	users, err := auth.New(auth.Config{Users: left}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// TestRetainedInFlight: what a subscription brings of retained messages is not lost
// after SUBACK.
func TestRetainedInFlight(t *testing.T) {
	const n = 300
	h := keep(t, durabletest.New(1), broker.Config{})
	for i := range n {
		send(t, h.Broker, topic.Message{Topic: fmt.Sprint("r/", i), Payload: []byte(strings.Repeat("x", 2000)), QoS: 1, Retain: true})
	}
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 1, "r/+")
	h = h.cut(broker.Config{})
	c = h.back(session("c", false))
	for i := range n {
		pk := c.wantMessage(fmt.Sprint("r/", i), strings.Repeat("x", 2000))
		if !pk.FixedHeader.Retain {
			t.Fatal("without the retain flag")
		}
	}
	c.wantPong()
}

// TestWillSurvives: one that is due is sent after the start.
func TestWillSurvives(t *testing.T) {
	h := keep(t, durabletest.New(1), broker.Config{})
	sub := connect(t, h.Broker, session("sub", false))
	sub.subscribe(1, 1, "state")
	sub.part()
	c := connect(t, h.Broker, version(5), session("c", false), will(topic.Message{Topic: "state", Payload: []byte("gone"), QoS: 1}), func(pk *packets.Packet) {
		pk.Connect.WillProperties.WillDelayInterval = 1
		pk.Connect.WillProperties.ContentType = "text"
	})
	c.send(disconnect(4))
	c.wantClosed()
	pub := connect(t, h.Broker)
	pub.send(publish("state", "before", 1, 1)) // with which all that was before is on flash
	pub.wantAnswer(packets.Puback, 1, 0)
	h = h.cut(broker.Config{})
	sub = h.back(version(5), session("sub", false))
	sub.wantMessage("state", "before")
	if pk := sub.wantMessage("state", "gone"); pk.Properties.ContentType != "text" {
		t.Errorf("properties %+v", pk.Properties)
	}
}

// TestJournalFails: publishers of messages for sessions that are kept are refused,
// others are not, and it is over when the disk works again.
func TestJournalFails(t *testing.T) {
	h := keep(t, durabletest.New(1), broker.Config{})
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 1, "a")
	c.part()
	other := connect(t, h.Broker)
	other.subscribe(1, 1, "b")
	h.disk.SetFaults(durabletest.Faults{Write: func(string) bool { return true }})
	pub, old := connect(t, h.Broker, version(5)), connect(t, h.Broker)
	for id := range uint16(2) { // the first finds out
		pub.send(publish("a", "refused", 1, id+1))
		pub.wantAnswer(packets.Puback, id+1, 0x97)
	}
	pub.send(publish("b", "x", 2, 3), publish("a", "QoS 0", 0, 0))
	pub.wantAnswer(packets.Pubrec, 3, 0)
	other.wantMessage("b", "x")
	old.send(publish("a", "refused", 1, 1))
	old.wantClosed()
	bold := connect(t, h.Broker, version(5), session("bold", false))
	if codes := bold.subscribe(1, 1, "a"); codes[0] != 0x97 {
		t.Errorf("SUBACK 0x%02x", codes[0])
	}
	send(t, h.Broker, topic.Message{Topic: "a", Payload: []byte("own"), QoS: 1})

	h.disk.SetFaults(durabletest.Faults{})
	until(t, func() bool { return h.journal.Err() == nil })
	pub.send(publish("a", "taken", 1, 4))
	pub.wantAnswer(packets.Puback, 4, 0)
	h = h.cut(broker.Config{})
	c = h.back(session("c", false))
	for got := ""; got != "taken"; {
		pk := c.want(packets.Publish)
		got = string(pk.Payload)
		c.send(puback(pk.PacketID))
	}
	c.wantPong()
}

// TestTooLargeToKeep: a message that no record takes is refused, or dropped if the
// gateway has it, and stops neither store.
func TestTooLargeToKeep(t *testing.T) {
	s, end := openStore(t, durabletest.New(2))
	defer end()
	h := keep(t, durabletest.New(1), broker.Config{Retained: s, Limits: broker.Limits{PacketBytes: 1 << 20}})
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 1, "a")
	c.part()
	large := strings.Repeat("x", 300<<10)
	pub := connect(t, h.Broker, version(5))
	pub.send(publish("a", large, 1, 1))
	pub.wantAnswer(packets.Puback, 1, 0x97)
	pub.send(retained(publish("b", large, 1, 2)))
	pub.wantAnswer(packets.Puback, 2, 0x97)
	send(t, h.Broker, topic.Message{Topic: "a", Payload: []byte(large), QoS: 1})
	if got := h.Stats().Sessions.Large; got != 1 {
		t.Errorf("%d dropped as too large", got)
	}
	pub.send(publish("nobody's", large, 1, 3))
	pub.wantAnswer(packets.Puback, 3, 0)

	pub.send(retained(publish("a", "taken", 1, 4)))
	pub.wantAnswer(packets.Puback, 4, 0)
	h.back(session("c", false)).wantMessage("a", "taken")
}

// TestNothingToKeep: without a persistent session the flash is left alone.
func TestNothingToKeep(t *testing.T) {
	h := keep(t, durabletest.New(1), broker.Config{})
	before := h.journal.Stats()
	c, pub := connect(t, h.Broker), connect(t, h.Broker, version(5), session("p", false))
	until(t, func() bool { return h.journal.Stats().Commits == before.Commits+1 }) // that there is p
	commits := h.journal.Stats().Commits
	c.subscribe(1, 2, "a")
	for i := range uint16(200) {
		pub.send(publish("a", "x", 1, i+1))
		pub.wantAnswer(packets.Puback, i+1, 0)
		c.wantMessage("a", "x")
	}
	if got := h.journal.Stats().Commits; got != commits {
		t.Errorf("%d commits", got-commits)
	}
}

// TestOffline: 20,000 messages for somebody who is away are on flash, and arrive in
// order.
func TestOffline(t *testing.T) {
	const n = 20_000
	h := keep(t, durabletest.New(1), broker.Config{})
	c := connect(t, h.Broker, session("c", false))
	c.subscribe(1, 1, "a")
	c.part()
	publishMany(t, h.Broker, "a", 0, n)
	pub := connect(t, h.Broker)
	pub.send(publish("a", "last", 1, 1))
	pub.wantAnswer(packets.Puback, 1, 0)
	if got := h.Stats(); got.Queued != 0 || got.Sessions.Stored < n || got.Journal.Messages != n+1 {
		t.Errorf("%+v", got)
	}
	before := time.Now()
	c = h.back(session("c", false))
	for i := range n {
		c.wantMessage("a", strconv.Itoa(i))
	}
	c.wantMessage("a", "last")
	t.Logf("%d messages read back in %v", n, time.Since(before))
	until(t, func() bool { return h.Stats().Sessions.Stored == 0 })
}
