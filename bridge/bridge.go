// Package bridge relays messages of the local broker to a broker upstream, over
// links that fail. Offer is tapped into the local broker and puts what the rules
// pick into a durable lane; Run owns the connection and sends the lanes, each in
// order, at least once, for as long as it takes. The gateway wires both; the
// package knows neither the local broker nor the MQTT client behind a Session.
package bridge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/bridge/budget"
	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/progress"
)

const (
	defaultDrain = time.Second
	openTime     = 20 * time.Second // TLS and CONNACK on a slow link
)

// Dialer opens the way to the broker upstream, without a word to it yet. ctx
// bounds the attempt only.
type Dialer func(ctx context.Context) (Path, error)

// Path is a way to the broker on which no session has begun. Either method ends
// it as such.
type Path interface {
	// Open begins a session whose will is the given message. ctx bounds the
	// attempt only.
	Open(ctx context.Context, will topic.Message) (Session, error)

	Close() error
}

// Session is one connection to the broker upstream.
type Session interface {
	// Publish sends m with QoS 1 behind all before it and never blocks. The
	// channel yields one value: nil after the PUBACK, else an error.
	Publish(m topic.Message) (acked <-chan error)

	// Send sends m with QoS 0 behind all before it and never blocks; false means that
	// it does not.
	Send(m topic.Message) bool

	// Lost is closed when the connection has ended and every channel of Publish
	// holds its value.
	Lost() <-chan struct{}

	// Err returns why the connection ended.
	Err() error

	// Close sends what is left and DISCONNECT; when ctx ends, or has ended, it
	// cuts the connection, which leaves the will to the broker.
	Close(ctx context.Context) error
}

// Config describes a bridge.
type Config struct {
	ID   string // in logs, such as "cloud"
	Send []Rule // the first that matches a message decides

	// Receive are the rules for what comes down: the first that matches the topic
	// upstream decides. Deliver hands it to the local broker. What the rules of Send
	// send, or those of Beside, which are of other bridges to the same broker, is an
	// echo when it comes down, and dropped.
	Receive []Rule
	Deliver func(topic.Message) error
	Beside  [][]Rule

	// LiveFirst are the lanes of which, after an outage, new messages are sent before
	// those that wait. A message that is sent behind a newer one of its topic goes to
	// LateTo instead, without the retain flag: {topic} is its own topic upstream,
	// such as in "late/{topic}". Both kinds keep their order.
	LiveFirst []queue.Name
	LateTo    string

	// Envelopes make messages travel together. The queue must have epochs.
	Envelopes Envelopes

	// Conn is how many sessions a predecessor of the bridge has tried.
	Conn uint64

	// What upstream is told of this gateway. conn counts the sessions that were
	// tried, behind those of the predecessor; the reason of a birth is "start",
	// "reconnect" or, on another way than the last, "failover"; that of a farewell
	// "shutdown", "failover" or, where nothing waits any more, "idle".
	Will     func(conn uint64) topic.Message
	Birth    func(conn uint64, reason string) topic.Message
	Farewell func(conn uint64, reason string) topic.Message

	// Born is called once upstream has the birth; nil: nobody wants to know. It must not
	// block.
	Born func()

	// Lost words what upstream is told of messages that left the queue unsent.
	Lost func(lane queue.Name, g queue.Gap) topic.Message

	// KeepAlive is what sessions are opened with. A message that the link needs
	// longer for cannot arrive: the broker hangs up before it has the whole.
	KeepAlive time.Duration

	// LinkUp yields when an interface or a route of this machine has come up, which
	// makes it worth trying again at once; nil: nobody says so.
	LinkUp <-chan struct{}

	// DialTime bounds an attempt to find a way, OpenTime that to begin a session on
	// it; 0 means 5 s and 20 s. Doubt is the shortest silence after which another way
	// is looked for, and Patience the shortest wait for the first PUBACK; 0 means 3 s
	// and 10 s.
	DialTime, OpenTime, Doubt, Patience time.Duration

	// Failover are further brokers, in the order in which they are tried when those
	// before them are away. FailBack is how long a connection to one of them lasts
	// until the first is tried again.
	Failover []Dialer
	FailBack time.Duration

	Duty   Duty           // when to be connected at all
	Rate   Rate           // the most that is sent
	Budget *budget.Budget // of a month; nil: no limit

	// DrainTime is how long a stop waits for the acknowledgements of what was
	// sent; 0 means 1 s. The whole stop takes at most 1.25 s more: 0.5 s of that before,
	// for what came in last.
	DrainTime time.Duration
}

// Bridge relays between here and upstream.
type Bridge struct {
	cfg   Config
	queue *queue.Queue
	lanes []*lane // of queue, the most urgent first
	log   *slog.Logger
	ready chan struct{}

	straight straight

	// Of Run alone.
	conn     uint64
	ways     ways
	born     bool // a birth was acknowledged
	bornAt   int  // on this way
	spare    Path // open, and left by a connection that was given up; may be nil
	last     meter
	suspect  suspect
	doubt    doubt
	evicted  int // connections in a row that upstream ended soon after they began
	pace     pace
	permit   permit
	slotDone time.Time // everything was sent in the slot of that time
	told     string    // cause of the last failure that was logged
	turns    progress.Turns

	saying chan struct{} // there is something to be said

	mu      sync.Mutex
	stats   Stats
	refused string // the last message from upstream that was, and why
	said    []topic.Message
	mute    time.Time // nothing is said until then; zero: upstream bears it
}

// New returns a bridge that sends what q holds through the sessions of dial. The
// rules must be valid: filters by topic.CheckFilter, and To a topic name.
func New(cfg Config, q *queue.Queue, dial Dialer, log *slog.Logger) *Bridge {
	cfg.DrainTime = cmp.Or(cfg.DrainTime, defaultDrain)
	cfg.DialTime = cmp.Or(cfg.DialTime, dialTime)
	cfg.OpenTime = cmp.Or(cfg.OpenTime, openTime)
	b := &Bridge{
		cfg:      cfg,
		queue:    q,
		ways:     ways{dials: append([]Dialer{dial}, cfg.Failover...)},
		pace:     pace{Rate: cfg.Rate},
		last:     meter{minDoubt: cfg.Doubt, minPatience: cfg.Patience},
		log:      log.With("bridge", cfg.ID),
		ready:    make(chan struct{}),
		saying:   make(chan struct{}, 1),
		straight: newStraight(),
		conn:     cfg.Conn,
		stats:    Stats{Since: time.Now(), Conn: cfg.Conn},
	}
	b.last.urgent = len(cfg.LiveFirst) > 0 || slices.ContainsFunc(cfg.Send, func(r Rule) bool { return r.Lane == queue.Alarm && !r.Drop })
	for i, name := range queue.Names() {
		b.lanes = append(b.lanes, &lane{Lane: q.Lane(name), name: name, rank: i, liveFirst: slices.Contains(cfg.LiveFirst, name)})
	}
	return b
}

// ID returns the bridge's name in the configuration.
func (b *Bridge) ID() string { return b.cfg.ID }

// String returns the bridge's name in logs.
func (b *Bridge) String() string { return "bridge " + b.cfg.ID }

// Turns lets a watchdog see that the bridge makes progress.
func (b *Bridge) Turns() uint64 { return b.turns.Count() }

// Ready is closed when Run has begun; upstream may still be away.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// Run keeps a session to upstream and sends the lanes through it until ctx is
// cancelled; then it waits for what is owed, says farewell and returns nil. It
// may be called once.
func (b *Bridge) Run(ctx context.Context) error {
	close(b.ready)
	defer b.discard()
	if err := b.queue.Rebury(); err != nil {
		b.log.Warn("a dead letter may be tried once more, and be there twice then", "err", err)
	}
	var r retry
	for {
		if b.await(ctx) != nil {
			return nil
		}
		end := b.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if end.planned {
			continue
		}
		b.failed(end.err)
		if b.spare != nil || b.ways.next(end) {
			continue
		}
		if r.wait(ctx, end, b.cfg.LinkUp) != nil {
			return nil
		}
	}
}

// ending is how an attempt to connect, or a connection, ended.
type ending struct {
	err     error
	path    bool // there was a way to the broker
	sound   bool // it lived long enough, or moved the cursor: the next is worth trying soon
	planned bool // nothing was wrong with it
}

// connection connects once and sends for as long as the session lives.
func (b *Bridge) connection(ctx context.Context) ending {
	b.turns.Begin()
	path, err := b.way(ctx)
	b.turns.End()
	if err != nil {
		return ending{err: err}
	}
	b.conn++
	b.update(func(s *Stats) { s.Conn = b.conn })
	opening, cancel := context.WithTimeout(ctx, b.cfg.OpenTime)
	b.turns.Begin()
	session, err := path.Open(opening, b.cfg.Will(b.conn))
	b.turns.End()
	cancel()
	if err != nil {
		return ending{err: err, path: true}
	}
	began := time.Now()
	l := &link{Bridge: b, session: session, meter: b.last.next()}
	at := b.ways.at
	running, done := b.outlive(ctx)
	err = l.run(running)
	done()
	end := ending{err: err, path: true, planned: errors.Is(err, errLeave)}
	switch {
	case ctx.Err() != nil:
		l.part("shutdown")
	case end.planned:
		l.part(l.leaving)
	default:
		l.abandon()
	}
	b.last = l.meter
	lived := time.Since(began)
	end.sound = end.planned || !b.isEvicted(err, lived) && (l.progressed || !l.stalled && lived >= stablePeriod)
	if end.sound && at == 0 {
		b.ways.moves = 0 // the return to the preferred broker was right
	}
	return end
}

// way returns the spare path, or else a new one.
func (b *Bridge) way(ctx context.Context) (Path, error) {
	if p := b.spare; p != nil {
		b.spare = nil
		return p, nil
	}
	dialing, cancel := context.WithTimeout(ctx, b.cfg.DialTime)
	defer cancel()
	return b.ways.dial(dialing)
}

// discard closes a path that nobody uses any more.
func (b *Bridge) discard() {
	if b.spare != nil {
		b.spare.Close()
		b.spare = nil
	}
}
