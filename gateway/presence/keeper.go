package presence

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"sluice/broker/topic"
)

const (
	spread    = 10 * time.Second // of the answers to a roll call of all gateways
	maxSights = 16               // states of others that wait to be looked at
)

// KeeperConfig of a keeper.
type KeeperConfig struct {
	Bridge string
	Every  time.Duration // between two heartbeats; 0: none
	Watch  bool          // what upstream has for our state is looked at
	Health func() Health
	Say    func(topic.Message) bool // publishes on the connection that there is
}

// Keeper keeps what one broker upstream shows of this gateway true: it sends the
// heartbeat, answers roll calls, and puts the state right when upstream has
// another than ours. Will, Birth, Farewell and Born are for the bridge, Seen for
// what comes down; Run owns the rest.
type Keeper struct {
	presence *Presence
	cfg      KeeperConfig
	log      *slog.Logger
	wake     chan struct{}

	mu     sync.Mutex
	birth  topic.Message // of the connection that there is, or is being tried
	fresh  bool          // it was made since Run looked
	echoed bool          // it came back: what is seen from then on is newer
	born   bool          // upstream has it
	news   bool          // that is so since Run looked
	sights []sight       // that Run has not looked at
	called time.Time     // when a roll call is answered; zero: there was none

	// Of Run alone.
	rival rival
	alarm *topic.Message // that upstream was not told yet
	beat  time.Time      // when the next heartbeat is due
}

// sight is a state that upstream has shown.
type sight struct {
	state
	newer bool // than our birth
}

// Keeper returns the keeper for one bridge.
func (p *Presence) Keeper(cfg KeeperConfig, log *slog.Logger) *Keeper {
	return &Keeper{presence: p, cfg: cfg, log: log.With("bridge", cfg.Bridge), wake: make(chan struct{}, 1)}
}

// String returns the keeper's name in logs.
func (k *Keeper) String() string { return "presence " + k.cfg.Bridge }

// Filters are what a keeper has to be told of, nil if it watches nothing. QoS 0 is
// enough: what was said while there was no connection is no news.
func (k *Keeper) Filters() []string {
	if !k.cfg.Watch {
		return nil
	}
	return []string{k.presence.topic, k.presence.call("all"), k.presence.call(k.presence.cfg.Gateway)}
}

// Birth is that of the presence; upstream does not have it yet.
func (k *Keeper) Birth(conn uint64, reason string) topic.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.birth, k.fresh, k.echoed, k.born = k.presence.Birth(conn, reason), true, false, false
	return k.birth
}

// Born takes note that upstream has the birth.
func (k *Keeper) Born() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.born, k.news = true, true
	k.signal()
}

// Farewell is that of the presence; from now on nothing is put right any more.
func (k *Keeper) Farewell(conn uint64, reason string) topic.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.born = false
	return k.presence.Farewell(conn, reason)
}

// Seen looks at a message from upstream. It does not block.
func (k *Keeper) Seen(m topic.Message) {
	if !k.cfg.Watch {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch m.Topic {
	case k.presence.topic:
		k.echoed = k.echoed || bytes.Equal(m.Payload, k.birth.Payload)
		s := sight{newer: k.echoed || k.born}
		if json.Unmarshal(m.Payload, &s.state) != nil {
			s.state = state{} // whatever it is, it is not ours
		}
		if len(k.sights) < maxSights {
			k.sights = append(k.sights, s)
		}
	case k.presence.call("all"):
		k.call(m, rand.N(spread))
	case k.presence.call(k.presence.cfg.Gateway):
		k.call(m, 0)
	default:
		return
	}
	k.signal()
}

// call notes a roll call, unless it was kept for whoever comes later.
func (k *Keeper) call(m topic.Message, wait time.Duration) {
	at := time.Now().Add(wait)
	if !m.Retain && (k.called.IsZero() || at.Before(k.called)) {
		k.called = at
	}
}

func (k *Keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Run keeps presence until ctx is cancelled.
func (k *Keeper) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(k.step(time.Now()))
		select {
		case <-k.wake:
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// step does what is due, and returns how long there will be nothing.
func (k *Keeper) step(now time.Time) time.Duration {
	born, news, sights, called := k.take(now)
	for _, s := range sights {
		k.look(s, now)
	}
	if k.rival.rests(now) {
		k.log.Info("no second gateway under this id any more")
	}
	switch {
	case !born:
		return time.Hour
	case news:
		k.health(now)
	case called:
		k.say(k.current())
		k.health(now)
	case k.cfg.Every > 0 && !now.Before(k.beat):
		k.health(now)
	}
	if k.alarm != nil && k.cfg.Say(*k.alarm) {
		k.alarm = nil
	}
	if k.rival.due(now) {
		k.rival.corrected(now)
		k.say(k.current())
	}
	return k.pause(now)
}

// take returns what has happened since the last time.
func (k *Keeper) take(now time.Time) (born, news bool, sights []sight, called bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fresh {
		k.fresh = false
		k.rival.resolved()
	}
	born, news, sights = k.born, k.news && k.born, k.sights
	k.news, k.sights = k.news && !k.born, nil
	if called = born && !k.called.IsZero() && !now.Before(k.called); called {
		k.called = time.Time{}
	}
	return born, news, sights, called
}

// pause is how long there is nothing to do while there is a connection.
func (k *Keeper) pause(now time.Time) time.Duration {
	next := now.Add(time.Hour)
	k.mu.Lock()
	called := k.called
	k.mu.Unlock()
	for _, at := range []time.Time{called, k.rival.next} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	if k.cfg.Every > 0 && k.beat.Before(next) {
		next = k.beat
	}
	return max(next.Sub(now), 0)
}

// look judges a state that upstream has shown.
func (k *Keeper) look(s sight, now time.Time) {
	ours := s.Session == k.presence.session
	switch {
	case ours && s.State == "online":
		k.rival.resolved()
	case s.newer: // a will that came late, another bridge's, or somebody else's
		k.rival.wrong(now)
	}
	if ours {
		return
	}
	if k.rival.sighted(s.state, s.newer, now) {
		k.log.Error("a second gateway uses this id upstream", "gateway", k.presence.cfg.Gateway, "group", k.presence.cfg.Group, "session", s.Session)
		m := k.presence.alarm("duplicate-id", s.Session, now)
		k.alarm = &m
	}
}

// health says how this gateway is.
func (k *Keeper) health(now time.Time) {
	k.beat = now.Add(k.cfg.Every)
	if k.cfg.Every == 0 {
		return
	}
	h := k.cfg.Health()
	h.Every = int(k.cfg.Every / time.Second)
	if k.rival.alive {
		h.Problems = append(h.Problems, "duplicate-id")
	}
	k.say(k.presence.Health(h))
}

func (k *Keeper) current() topic.Message {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.birth
}

func (k *Keeper) say(m topic.Message) { k.cfg.Say(m) } // without a connection there will be a birth

// call is the topic of roll calls of one gateway, or of "all".
func (p *Presence) call(who string) string {
	return strings.Join([]string{"fleet", p.cfg.Group, who, "cmd/announce"}, "/")
}
