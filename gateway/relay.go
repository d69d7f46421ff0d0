package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"sluice/bridge"
	"sluice/bridge/budget"
	"sluice/bridge/queue"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
	"sluice/gateway/config"
	"sluice/gateway/presence"
)

// relay is a bridge with what it keeps on disk.
type relay struct {
	cfg    config.Bridge
	beside [][]bridge.Rule
	log    *slog.Logger
	keeper *presence.Keeper
	*bridge.Bridge
	store
}

// store is what a relay keeps on disk. It outlives the bridge that uses it.
type store struct {
	queue  *queue.Queue
	budget *budget.Budget  // nil: no limit
	up     <-chan struct{} // see upstream.Watch
}

// openStore opens the queue and the account of a bridge.
func (g *Gateway) openStore(c config.Bridge) (store, error) {
	volume, err := openBudget(c, g.opt.StateDir, g.log.With("bridge", c.ID))
	if err != nil {
		return store{}, fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	q, err := queue.Open(QueueConfig(c, g.opt.StateDir), g.log.With("bridge", c.ID))
	if err != nil {
		return store{}, fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	return store{q, volume, g.watch.Up()}, nil
}

// close ends the queue, and saves what was spent.
func (s store) close(w *upstream.Watch) error {
	w.Forget(s.up)
	if s.budget != nil {
		s.budget.Close()
	}
	return s.queue.Close()
}

// newRelay builds a bridge on its store. Its connections are counted on from those
// of its predecessor, conn.
func (g *Gateway) newRelay(c config.Bridge, all []config.Bridge, s store, conn uint64) (*relay, error) {
	r := &relay{cfg: c, beside: beside(c, all), log: g.log, store: s}
	r.keeper = g.me.Keeper(presence.KeeperConfig{
		Bridge: c.ID, Every: c.Presence.Heartbeat, Watch: c.Presence.Watch, Health: g.healthSince(g.opt.StateDir),
		Say: func(m topic.Message) bool { return r.Say(m) },
	}, g.log)
	var spend func(int64)
	if s.budget != nil {
		spend = s.budget.Spend
	}
	receive := func(m topic.Message) { r.keeper.Seen(m); r.Accept(m) }
	dials, err := dialers(c, spend, receive, r.keeper.Filters(), g.log)
	if err != nil {
		return nil, fmt.Errorf("bridge %s: %w", c.ID, err)
	}
	cfg := bridgeConfig(c, g.me, r.keeper, s.up)
	cfg.Conn = conn
	cfg.Failover, cfg.Budget = dials[1:], s.budget
	cfg.Deliver, cfg.Beside = g.broker.Deliver, r.beside
	r.Bridge = bridge.New(cfg, s.queue, dials[0], g.log)
	return r, nil
}

// addRelay opens the queue of a bridge and builds the bridge.
func (g *Gateway) addRelay(c config.Bridge, all []config.Bridge) error {
	s, err := g.openStore(c)
	if err != nil {
		return err
	}
	r, err := g.newRelay(c, all, s, 0)
	if err != nil {
		return errors.Join(err, s.close(g.watch))
	}
	g.relays = append(g.relays, r)
	return nil
}

// Run runs the bridge and what keeps its presence upstream until ctx is cancelled.
func (r *relay) Run(ctx context.Context) error {
	return runStages(ctx, r.log, func() {}, stage{r.keeper, r.Bridge})
}

// same reports whether a bridge is to be what it is.
func (r *relay) same(c config.Bridge, all []config.Bridge) bool {
	return reflect.DeepEqual(r.cfg, c) && reflect.DeepEqual(r.beside, beside(c, all))
}

// keeps reports whether what is on disk can go on to be used as it is.
func (r *relay) keeps(c config.Bridge) bool {
	return reflect.DeepEqual(r.cfg.Queue, c.Queue) && r.cfg.Budget == c.Budget
}
