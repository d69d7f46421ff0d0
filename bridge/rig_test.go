package bridge_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/bridge"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

var _ bridge.Session = (*upstream.Session)(nil)

// rig is a bridge on a lane of its own, and the remote broker it talks to.
type rig struct {
	*testing.T
	remote *remote
	cfg    bridge.Config
	dir    string
	log    io.Writer
	limits queue.Limits // of the lane telemetry

	queue  *queue.Queue
	lane   *queue.Lane
	bridge *bridge.Bridge
	cancel context.CancelFunc
	done   chan error
}

func say(state string, conn uint64, reason string) topic.Message {
	return topic.Message{Topic: "state", Payload: fmt.Appendf(nil, "%s %d %s", state, conn, reason), QoS: 1, Retain: true}
}

// newRig returns a rig that does not run yet. It must be made in a bubble.
func newRig(t *testing.T, r *remote) *rig {
	g := &rig{T: t, remote: r, dir: t.TempDir(), log: io.Discard}
	g.cfg = bridge.Config{
		ID:       "cloud",
		Send:     []bridge.Rule{{Match: "#"}},
		Will:     func(conn uint64) topic.Message { return say("lost", conn, "") },
		Birth:    func(conn uint64, reason string) topic.Message { return say("online", conn, reason) },
		Farewell: func(conn uint64, reason string) topic.Message { return say("offline", conn, reason) },
		Lost: func(lane queue.Name, g queue.Gap) topic.Message {
			return topic.Message{Topic: "lost", Payload: fmt.Appendf(nil, "%d of %s", g.Messages, lane), QoS: 1}
		},
		KeepAlive: time.Minute,
	}
	g.open()
	t.Cleanup(func() { g.stop() })
	return g
}

// open opens the lane and builds the bridge, as at a start of the process.
func (g *rig) open() {
	g.Helper()
	log := slog.New(slog.NewTextHandler(g.log, nil))
	q, err := queue.Open(queue.Config{Dir: g.dir, Epochs: g.cfg.Envelopes.To != "", Lanes: map[queue.Name]queue.Limits{queue.Telemetry: g.limits}}, log)
	if err != nil {
		g.Fatal(err)
	}
	g.queue, g.lane = q, q.Lane(queue.Telemetry)
	g.bridge = bridge.New(g.cfg, q, g.remote.dial, log)
}

// telemetry returns the account of the lane that most messages take.
func (g *rig) telemetry() queue.Stats { return g.lane.Stats() }

func (g *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	g.done = make(chan error, 1)
	go func() { g.done <- g.bridge.Run(ctx) }()
}

// stop ends Run, closes the lane and returns how long Run took to end.
func (g *rig) stop() time.Duration {
	g.Helper()
	start := time.Now()
	if g.cancel != nil {
		g.cancel()
		g.cancel = nil
		if err := <-g.done; err != nil {
			g.Errorf("Run: %v", err)
		}
	}
	took := time.Since(start)
	g.queue.Close()
	return took
}

// offer offers the messages from to to-1 and waits until they are on flash.
func (g *rig) offer(from, to int) {
	g.Helper()
	for i := from; i < to; i++ {
		wait, err := g.bridge.Offer(numbered(i))
		if err != nil {
			g.Fatal(err)
		}
		if i == to-1 {
			if err := wait(g.Context()); err != nil {
				g.Fatal(err)
			}
		}
	}
}

func numbered(i int) topic.Message {
	return topic.Message{Topic: "v", Payload: fmt.Append(nil, i), QoS: 1}
}

// line writes arrivals as "conn:payload", those of values only if values.
func line(arrivals []arrival, values bool) string {
	var words []string
	for _, a := range arrivals {
		if !values || a.message.Topic == "v" {
			words = append(words, fmt.Sprintf("%d:%s", a.conn, a.message.Payload))
		}
	}
	return strings.Join(words, ", ")
}

// bubble runs f in a bubble with a rig on r.
func bubble(t *testing.T, r *remote, f func(g *rig)) {
	synctest.Test(t, func(t *testing.T) { f(newRig(t, r)) })
}

// pass lets time go by until everything that is due by then has happened.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
