// Package bridge relays messages of the local broker to a broker upstream, over
// links that fail. Offer is tapped into the local broker and puts what the rules
// pick into a durable lane; Run owns the connection and sends the lane in order,
// at least once, for as long as it takes. The gateway wires both; the package
// knows neither the local broker nor the MQTT client behind a Session.
package bridge

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/bridge/queue"
	"sluice/broker/topic"
	"sluice/gateway/backoff"
)

const (
	defaultDrain = time.Second
	dialTime     = 20 * time.Second // TCP, TLS and CONNACK on the slowest link
	stablePeriod = 10 * time.Second // a connection that lived as long was a good one
)

// Session is one connection to the broker upstream.
type Session interface {
	// Publish sends m with QoS 1 behind all before it and never blocks. The
	// channel yields one value: nil after the PUBACK, else an error.
	Publish(m topic.Message) (acked <-chan error)

	// Lost is closed when the connection has ended and every channel of Publish
	// holds its value.
	Lost() <-chan struct{}

	// Err returns why the connection ended.
	Err() error

	// Close sends what is left and DISCONNECT; when ctx ends, or has ended, it
	// cuts the connection, which leaves the will to the broker.
	Close(ctx context.Context) error
}

// Dialer opens a session whose will is the given message. ctx bounds the
// attempt only.
type Dialer func(ctx context.Context, will topic.Message) (Session, error)

// Config describes a bridge.
type Config struct {
	ID   string // in logs, such as "cloud"
	Send []Rule // the first that matches a message decides

	// What upstream is told of this gateway. conn counts the attempts to connect
	// since the bridge was built, from 1; the reason of a birth is "start" or
	// "reconnect", that of a farewell "shutdown".
	Will     func(conn uint64) topic.Message
	Birth    func(conn uint64, reason string) topic.Message
	Farewell func(conn uint64, reason string) topic.Message

	// DrainTime is how long a stop waits for the acknowledgements of what was
	// sent; 0 means 1 s. The whole stop takes at most 0.75 s more.
	DrainTime time.Duration
}

// Bridge relays one way: from here to upstream.
type Bridge struct {
	cfg   Config
	lane  *queue.Lane
	dial  Dialer
	log   *slog.Logger
	ready chan struct{}

	// Of Run alone.
	conn    uint64
	born    bool      // a birth was acknowledged
	highest queue.Seq // ever sent
	suspect suspect
	told    string // cause of the last failure that was logged

	mu    sync.Mutex
	stats Stats
}

// New returns a bridge that sends lane through the sessions of dial. The rules
// must be valid: filters by topic.CheckFilter, and To a topic name.
func New(cfg Config, lane *queue.Lane, dial Dialer, log *slog.Logger) *Bridge {
	if cfg.DrainTime == 0 {
		cfg.DrainTime = defaultDrain
	}
	return &Bridge{
		cfg:   cfg,
		lane:  lane,
		dial:  dial,
		log:   log.With("bridge", cfg.ID),
		ready: make(chan struct{}),
		stats: Stats{Since: time.Now()},
	}
}

// ID returns the bridge's name in the configuration.
func (b *Bridge) ID() string { return b.cfg.ID }

// String returns the bridge's name in logs.
func (b *Bridge) String() string { return "bridge " + b.cfg.ID }

// Ready is closed when Run has begun; upstream may still be away.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// Run keeps a session to upstream and sends the lane through it until ctx is
// cancelled; then it waits for what is owed, says farewell and returns nil. It
// may be called once.
func (b *Bridge) Run(ctx context.Context) error {
	close(b.ready)
	reader := b.lane.NewReader()
	retry := backoff.Policy{Min: 500 * time.Millisecond, Max: time.Minute}
	for failures := 0; ; failures++ {
		lived, err := b.connection(ctx, reader)
		if ctx.Err() != nil {
			return nil
		}
		if lived >= stablePeriod {
			failures = 0
		}
		b.failed(err)
		if retry.Wait(ctx, failures) != nil {
			return nil
		}
	}
}

// connection dials once and sends for as long as the session lives. The error
// says why there was none or why it ended.
func (b *Bridge) connection(ctx context.Context, reader *queue.Reader) (lived time.Duration, err error) {
	b.conn++
	b.update(func(s *Stats) { s.Conn = b.conn })
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	session, err := b.dial(dialing, b.cfg.Will(b.conn))
	cancel()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	l := &link{Bridge: b, session: session, meter: newMeter()}
	err = l.run(ctx, reader)
	if ctx.Err() != nil {
		l.part()
	} else {
		l.abandon()
	}
	return time.Since(began), err
}
