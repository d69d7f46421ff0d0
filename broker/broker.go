// Package broker is the MQTT broker inside the gateway: local programs subscribe
// to values here and publish what the bridges relay upstream. Connections and
// packets are mochi-mqtt's; only this package knows that. It does not know what a
// tap does with a message, nor any device. Whatever a client sends, package wire
// has found well-formed before mochi sees it.
//
// The way of a message is ours from the packet to the last acknowledgement. Every
// message is offered to the taps and then routed, one message at a time, so that
// taps, subscribers and the retained store see the same order. PUBACK and PUBREC
// leave in the order of the publishes, each once every tap that wanted the message
// has stored it; routing does not wait for that. QoS 2 is held back like QoS 1. Its
// packet identifiers are kept with the session, so that a repeated PUBLISH is
// neither offered nor routed twice.
//
// A client's message that a tap refuses is not routed and never acknowledged as
// accepted: MQTT 5 clients get the acknowledgement with reason 0x97, older ones
// are disconnected and keep the message. When storing fails after the taps took
// the message, the same happens, but subscribers have it already. The gateway's
// own messages, and clients' at QoS 0, are routed in any case: the LAN goes on
// when a queue is full.
//
// Subscriptions, retained messages, wills and the delivery to subscribers, by
// package session, are ours too; mochi is left with its own messages of $SYS. A
// publisher never waits for a subscriber. One that does not keep up has the oldest
// messages, up to a bound, queued for it; what is new then is dropped and counted.
// One that takes nothing at all is disconnected. A client gets a message once,
// whatever number of its subscriptions match. Of a shared subscription each message
// goes to one member in turn, and stays with it.
//
// A client's retained message is acknowledged when the store of package retain has
// it, and is there again after a restart. The gateway's own retained messages are
// not stored, which saves the flash the values that change all the time: it
// publishes them anew. Clients may use topic aliases and
// are sent none.
//
// A session that can outlive its connection is kept by package journal, if there is
// one: SUBACK and UNSUBACK, PUBACK and PUBREC to publishers of what it gets, and
// PUBCOMP wait for the flash. While that fails, publishers of messages for such
// sessions are refused as by a tap. The gateway's own messages do not wait: they are
// written some time later, unless they have been acknowledged by then. Other
// sessions are in memory and end with their connection or with the gateway.
//
// Who may enter is decided at CONNECT: by the certificate of the connection, by user
// name and password, or by the listener, if it lets anybody in. That settles what
// may be published, as a will too, and subscribed to. A session belongs to the user
// who began it. Whoever is refused is counted by reason.
//
// What no hook reaches in mochi v2.7.9, and harms nobody as we use it: it copies
// each packet that it reads once more ((*Client).ReadPacket, clients.go); it has an
// index of all subscriptions beside ours and a goroutine with a queue for each
// client, both of use to $SYS only (TopicsIndex, topics.go; (*Client).WriteLoop);
// those who connect at the same moment may exceed its limit of clients, though not
// ours of connections ((*Server).attachClient, server.go); a session ends up to a
// second late ((*Server).eventLoop); user properties of SUBSCRIBE and UNSUBSCRIBE
// come back with the answer ((*Server).processSubscribe); reasons below 0x80, such as
// that nobody is subscribed, are left out of acknowledgements
// ((*Packet).encodePubAckRelRecComp, packets/packets.go).
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"sluice/broker/auth"
	"sluice/broker/journal"
	"sluice/broker/retain"
	"sluice/broker/session"
	"sluice/broker/topic"
)

// ackGrace is how long a stopping broker lets acknowledgements that are owed
// become due. With twice lingerTime it stays below a second.
const ackGrace = 400 * time.Millisecond

// Tap is offered every message before it is acknowledged and routed, one at a
// time and in publishing order; a will when it has been routed. It must not block
// and must not publish. A nil wait means that the tap does not want the message.
// Otherwise wait returns nil once the message is stored; it may be called more
// than once, or never. An error refuses the message.
type Tap func(m topic.Message) (wait func(context.Context) error, err error)

// Broker is the LAN broker.
type Broker struct {
	limits Limits
	listen []Listener
	users  *auth.Users
	guard  atomic.Pointer[guard]
	log    *slog.Logger
	notice notices
	server *mqtt.Server

	sessions *session.Pool
	store    *retain.Store    // nil: retained messages are in memory only
	journal  *journal.Journal // nil: sessions are in memory only

	order       sync.Mutex // held while a message is offered and routed; guards what follows
	taps        []Tap
	subscribers map[string]*subscriber
	index       topic.Index[target]
	groups      map[string]*group
	retained    retained
	round       uint64     // messages routed
	deliveries  []delivery // of the message being routed

	listeners []*listener
	ready     chan struct{}
	stopping  chan struct{}
	acks      context.Context // ends when no acknowledgement is awaited any longer
	dropAcks  context.CancelFunc
	peers     sync.WaitGroup
	open      atomic.Int64  // connections
	refused   atomic.Uint64 // messages
	door      *door
}

// New returns a broker that serves once it runs. Publish works before that: what
// is retained waits for subscribers.
func New(cfg Config, log *slog.Logger) (*Broker, error) {
	for _, l := range cfg.Listen {
		if err := l.check(); err != nil {
			return nil, fmt.Errorf("broker: %w", err)
		}
	}
	b := &Broker{
		limits: cfg.Limits.withDefaults(), listen: cfg.Listen, users: cfg.Users, log: log,
		sessions: session.NewPool(poolLimits(cfg)), store: cfg.Retained, journal: cfg.Journal, subscribers: map[string]*subscriber{}, groups: map[string]*group{},
		retained: retained{kept: map[string]*kept{}},
		ready:    make(chan struct{}), stopping: make(chan struct{}),
	}
	if err := b.Protect(cfg.Protected); err != nil {
		return nil, err
	}
	b.door = newDoor(b.limits)
	b.acks, b.dropAcks = context.WithCancel(context.Background())
	b.server = mqtt.New(&mqtt.Options{
		Capabilities:             b.limits.capabilities(),
		ClientNetWriteBufferSize: 1, // conn buffers, and mochi would keep a last DISCONNECT in its own
		SysTopicResendInterval:   sysInterval,
		Logger:                   slog.New(chatter{log.Handler()}),
	})
	if err := b.server.AddHook(&hook{broker: b}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.restore()
	b.restoreSessions()
	return b, nil
}

// Tap adds a tap.
func (b *Broker) Tap(t Tap) {
	b.order.Lock()
	defer b.order.Unlock()
	b.taps = append(b.taps, t)
}

// Retap replaces the taps by what swap returns. Swap runs between two messages: the
// one before was offered to the old taps, and the next waits for the new ones.
func (b *Broker) Retap(swap func() []Tap) {
	b.order.Lock()
	defer b.order.Unlock()
	b.taps = swap()
}

// Protect replaces Config.Protected. An error changes nothing.
func (b *Broker) Protect(filters []string) error {
	g, err := newGuard(filters)
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	b.guard.Store(&g)
	return nil
}

// String returns the broker's name in logs.
func (b *Broker) String() string { return "broker" }

// Ready is closed when every address is served.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addrs returns the addresses served, in the order of Config.Listen; nil before
// Ready.
func (b *Broker) Addrs() []net.Addr {
	select {
	case <-b.ready:
	default:
		return nil
	}
	addrs := make([]net.Addr, len(b.listeners))
	for i, l := range b.listeners {
		addrs[i] = l.socket.Addr()
	}
	return addrs
}

// Run serves clients until ctx is cancelled. Then it accepts no more messages,
// sends the acknowledgements that become due within ackGrace, disconnects all
// clients (MQTT 5: reason 0x8B), without their wills, and returns within a
// second. It returns an error if an address cannot be served. A broker runs once.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.bind(ctx); err != nil {
		return err
	}
	for _, l := range b.listeners {
		if err := b.server.AddListener(l); err != nil {
			return err
		}
		b.log.Info("serving MQTT", "address", l.Address(), "protocol", l.Protocol())
	}
	if err := b.server.Serve(); err != nil {
		return err
	}
	b.restoreWills()
	close(b.ready)
	b.publishFigures(ctx)
	return b.stop()
}

func (b *Broker) stop() error {
	close(b.stopping)
	for _, l := range b.listeners {
		l.stop()
	}
	defer b.dropAcks()
	defer time.AfterFunc(ackGrace, b.dropAcks).Stop()
	b.peers.Wait()
	return b.server.Close()
}

func (b *Broker) stopped() bool {
	select {
	case <-b.stopping:
		return true
	default:
		return false
	}
}

// Publish offers the gateway's own message to every tap and routes it to the
// local subscribers. It waits neither for a tap to store the message nor for a
// subscriber. It returns the errors of taps that refused the message; it is
// routed all the same.
func (b *Broker) Publish(ctx context.Context, m topic.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := topic.CheckName(m.Topic); err != nil {
		return fmt.Errorf("publish to %q: %w", m.Topic, err)
	}
	_, err := b.publish(m, false)
	return err
}

// publish returns how to wait until the sessions that are kept have the message.
func (b *Broker) publish(m topic.Message, urgent bool) (wait func(context.Context) error, err error) {
	b.order.Lock()
	defer b.order.Unlock()
	_, err = b.offer(m)
	out := publicationOf(m, packets.Properties{}, nil)
	b.gather(out)
	wait = b.distribute(out, urgent)
	atomic.AddInt64(&b.server.Info.MessagesReceived, 1)
	if err != nil {
		return wait, fmt.Errorf("publish to %s: %w", m.Topic, err)
	}
	return wait, nil
}

// Deliver takes a message that came from elsewhere, as Publish does, but by the
// rules for clients: it is refused on a topic of the gateway's own. It returns when
// the sessions that are kept have the message on flash, or why they have not; the
// others have it in any case.
func (b *Broker) Deliver(m topic.Message) error {
	if code := b.foreign(m.Topic); code != packets.CodeSuccess {
		b.countMessage(code)
		return code
	}
	b.order.Lock()
	full := b.room(m)
	b.order.Unlock()
	if full != packets.CodeSuccess {
		b.countMessage(full)
		return full
	}
	wait, err := b.publish(m, true)
	if wait == nil {
		return err
	}
	return errors.Join(err, wait(b.acks))
}

// offer hands m to the taps. It returns how to wait for all that want it, nil if
// none does, and the errors of those that refused it.
func (b *Broker) offer(m topic.Message) (func(context.Context) error, error) {
	var all func(context.Context) error
	var errs []error
	for _, t := range b.taps {
		wait, err := t(m)
		errs = append(errs, err)
		all = both(all, wait)
	}
	return all, errors.Join(errs...)
}

func both(first, second func(context.Context) error) func(context.Context) error {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(ctx context.Context) error {
		if err := first(ctx); err != nil {
			return err
		}
		return second(ctx)
	}
}

func messageOf(pk packets.Packet) topic.Message {
	return topic.Message{Topic: pk.TopicName, Payload: pk.Payload, QoS: pk.FixedHeader.Qos, Retain: pk.FixedHeader.Retain}
}

// Stats are counts since the start, but for Clients, Retained and Queued, which
// are as of now.
type Stats struct {
	Clients  int                // connected
	Retained int                // messages
	Queued   int64              // bytes of messages for subscribers, in flight too
	Received uint64             // messages published, by clients and by the gateway
	Sent     uint64             // messages written to subscribers
	Dropped  uint64             // messages that did not reach a subscriber, for any reason
	Refused  uint64             // messages of clients, by a tap or because of their topic
	Turned   map[Refusal]uint64 // connections, subscriptions and messages that were refused, by reason

	Sessions session.Stats // the same by reason
	Journal  journal.Stats // of the sessions that are kept
}

// Stats returns a snapshot; it may be called at any time.
func (b *Broker) Stats() Stats {
	info := b.server.Info.Clone()
	sessions := b.sessions.Stats()
	var kept journal.Stats
	if b.journal != nil {
		kept = b.journal.Stats()
	}
	return Stats{
		Clients:  int(info.ClientsConnected),
		Retained: int(info.Retained),
		Queued:   sessions.Bytes,
		Received: uint64(info.MessagesReceived),
		Sent:     uint64(info.MessagesSent),
		Dropped:  sessions.Dropped(),
		Refused:  b.refused.Load(),
		Turned:   b.door.counts(),
		Sessions: sessions,
		Journal:  kept,
	}
}
