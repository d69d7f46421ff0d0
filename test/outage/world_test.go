package outage

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge"
	"sluice/bridge/envelope"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
	"sluice/gateway/durable"
	"sluice/gateway/durable/durabletest"
	"sluice/test/link"
	"sluice/test/remote"
)

// lanes are the topics of the publisher and the lanes that rules put them in.
var lanes = [...]queue.Name{queue.Alarm, queue.Telemetry, queue.Bulk}

// world is a gateway's bridge with all it depends on.
type world struct {
	*testing.T
	link   *link.Link
	broker *remote.Broker
	disks  map[string]*durabletest.Disk
	limits map[queue.Name]queue.Limits
	cfg    bridge.Config

	queue   *queue.Queue
	bridge  *bridge.Bridge
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	live     map[queue.Name]bool // lanes that send new messages first
	safe     map[id]bool         // acknowledged to the publisher
	arrivals []arrival
}

// id names a message: its lane and its place in it.
type id struct {
	lane   queue.Name
	number uint32
}

type arrival struct {
	id
	late  bool
	conn  int
	at    time.Time
	bytes int
	name  name // if it came in an envelope
}

// name is what the far end knows a message by.
type name struct {
	lane       string
	epoch, seq uint64
}

func newWorld(t *testing.T, seed uint64, c link.Config) *world {
	w := &world{
		T: t, disks: map[string]*durabletest.Disk{}, limits: map[queue.Name]queue.Limits{}, safe: map[id]bool{}, live: map[queue.Name]bool{},
		cfg: bridge.Config{ID: "cloud", KeepAlive: time.Minute, Will: say, Lost: lost, Birth: sayWhy, Farewell: sayWhy},
	}
	for i, name := range append([]queue.Name{"dead"}, lanes[:]...) {
		w.disks[string(name)] = durabletest.New(seed<<3 + uint64(i))
	}
	for _, name := range lanes {
		w.cfg.Send = append(w.cfg.Send, bridge.Rule{Match: string(name), Lane: name})
		w.limits[name] = queue.Limits{MaxBytes: 4 << 20, CommitDelay: 50 * time.Millisecond}
	}
	w.broker = &remote.Broker{}
	w.link = link.New(c, w.broker.Serve)
	return w
}

func say(conn uint64) topic.Message {
	return topic.Message{Topic: "state", Payload: fmt.Append(nil, conn)}
}

func sayWhy(conn uint64, why string) topic.Message {
	return topic.Message{Topic: "state", Payload: fmt.Append(nil, conn, why)}
}

func lost(lane queue.Name, g queue.Gap) topic.Message {
	return topic.Message{Topic: "lost", Payload: fmt.Append(nil, lane, g.Messages)}
}

// liveFirst makes lanes send what is new before what waits.
func (w *world) liveFirst(lanes ...queue.Name) {
	w.cfg.LiveFirst, w.cfg.LateTo = lanes, "late/{topic}"
	for _, name := range lanes {
		w.live[name] = true
	}
}

// start starts the process.
func (w *world) start() {
	w.Helper()
	q, err := queue.OpenFS(queue.Config{Lanes: w.limits, Epochs: w.cfg.Envelopes.To != ""}, func(name string) durable.FS { return w.disks[name].Start() }, nil)
	if err != nil {
		w.Fatal(err)
	}
	w.queue = q
	w.bridge = bridge.New(w.cfg, q, w.dial, slog.New(slog.NewTextHandler(w.Output(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.running.Go(func() { w.bridge.Run(ctx) })
}

// end ends the process: as planned, or with the power when cut.
func (w *world) end(cut bool) {
	if cut {
		for _, name := range append([]queue.Name{"dead"}, lanes[:]...) {
			w.disks[string(name)].Cut()
		}
	}
	w.cancel()
	w.queue.Close()
	w.running.Wait()
}

type path struct{ *upstream.Path }

func (p path) Open(ctx context.Context, will topic.Message) (bridge.Session, error) {
	s, err := p.Path.Open(ctx, &will)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (w *world) dial(ctx context.Context) (bridge.Path, error) {
	p, err := upstream.Dial(ctx, upstream.Config{
		URL: "mqtt://upstream", ClientID: "gw", KeepAlive: w.cfg.KeepAlive,
		Connect: func(ctx context.Context, _ string) (net.Conn, error) { return w.link.Dial(ctx) },
	})
	if err != nil {
		return nil, err
	}
	return path{p}, nil
}

// publish offers a message of so many bytes and takes note of its acknowledgement.
func (w *world) publish(m id, bytes int) {
	payload := binary.BigEndian.AppendUint32(make([]byte, 0, max(bytes, 4)), m.number)
	b := w.bridge
	wait, err := b.Offer(topic.Message{Topic: string(m.lane), Payload: payload[:cap(payload)], QoS: 1})
	if err != nil {
		return
	}
	go func() {
		if wait(context.Background()) == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.safe[m] = true
		}
	}()
}

// envelopes makes messages travel together.
func (w *world) envelopes() {
	w.cfg.Envelopes = bridge.Envelopes{To: "envelopes", Gateway: "gw", Age: 5 * time.Second, Size: 4 << 10}
}

// arrived is what the broker's judge calls.
func (w *world) arrived(m remote.Message) { w.take(w.inside(m)) }

// take takes note of what the broker has taken.
func (w *world) take(arrivals []arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals = append(w.arrivals, arrivals...)
}

// inside returns what of the queue came with m.
func (w *world) inside(m remote.Message) (all []arrival) {
	came := func(inside topic.Message, n name) {
		lane, late := strings.CutPrefix(inside.Topic, "late/")
		all = append(all, arrival{numbered(queue.Name(lane), inside.Payload), late, m.Conn, m.At, len(inside.Payload), n})
	}
	switch m.Topic {
	case "state", "lost":
	case "envelopes":
		e, err := envelope.Open(m.Payload)
		if err != nil {
			w.Error(err)
		}
		for i, inside := range e.Messages {
			came(inside, name{e.Lane, e.Epoch, e.First + uint64(i)})
		}
	default:
		came(topic.Message{Topic: m.Topic, Payload: m.Payload}, name{})
	}
	return all
}

func numbered(lane queue.Name, payload []byte) id { return id{lane, binary.BigEndian.Uint32(payload)} }

// letters returns the dead letters, and how often there is one of each message.
func (w *world) letters() map[id]int {
	found := map[id]int{}
	if _, err := w.queue.DropDead(func(l queue.Letter) bool {
		found[numbered(l.Lane, l.Message.Payload)]++
		return false
	}); err != nil {
		w.Error(err)
	}
	return found
}

// drained waits until nothing waits, at most so long.
func (w *world) drained(most time.Duration) bool {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(time.Second) {
		if w.bridge.Stats().Backlog() == 0 {
			synctest.Wait()
			return true
		}
	}
	return false
}
