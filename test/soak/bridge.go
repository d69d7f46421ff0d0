package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/test/link"
)

// The link upstream, and what one connection may send again: what the link holds
// and as much in front of it, and what was acknowledged just before a kill.
const (
	linkRate   = 64_000 / 8 // bytes per second
	linkRTT    = 600 * time.Millisecond
	linkWindow = linkRate*2*6/10 + 4096
)

// drainTime is how long the backlog of a soak may take, when nothing fails any
// more.
const drainTime = 5 * time.Minute

// soakBridge runs the real program between publishers and an upstream over a bad
// link, kills all of them but the publishers again and again, and judges what
// arrived.
func soakBridge(ctx context.Context, upstream string, span time.Duration) error {
	dir, err := os.MkdirTemp("", "sluice-soak-")
	if err != nil {
		return err
	}
	nodes, err := upstreams[upstream](ctx, dir)
	if err != nil {
		return err
	}
	v, err := relayed(ctx, dir, nodes, span)
	if err == nil {
		fmt.Printf("%s: %v\n", upstream, v)
		err = v.err(linkWindow)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\nwhat was logged is in %s", upstream, err, dir)
	}
	return os.RemoveAll(dir)
}

func relayed(ctx context.Context, dir string, nodes []*node, span time.Duration) (verdict, error) {
	w := newWitness()
	for _, n := range nodes {
		defer n.kill()
		w.brokers = append(w.brokers, n.address)
	}
	if err := startAll(ctx, nodes); err != nil {
		return verdict{}, err
	}
	s, err := subscribe(nodes)
	if err != nil {
		return verdict{}, err
	}
	defer s.client.Disconnect(0)
	l := link.New(link.Config{Rate: linkRate, RTT: linkRTT}, w.serve)
	proxy, err := l.Listen()
	if err != nil {
		return verdict{}, err
	}
	defer proxy.Close()
	r, err := newRelay(ctx, dir, proxy.Addr())
	if err != nil {
		return verdict{}, err
	}
	defer r.log.Close()

	a := &acknowledged{safe: map[id]bool{}}
	if err := trouble(ctx, span, r, proxy, nodes, a); err != nil {
		return verdict{}, err
	}
	end, err := r.finish(ctx, drainTime)
	if err != nil {
		return verdict{}, err
	}
	pause(ctx, 2*time.Second) // for the last to reach the subscriber
	proxy.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := judgeRelay(a, w, s, end)
	v.kills, v.cuts = r.kills, l.Stats().Cuts
	for _, n := range nodes {
		v.upstreamKills += n.kills
	}
	return v, nil
}

func startAll(ctx context.Context, nodes []*node) error {
	errs := make([]error, len(nodes))
	var starting sync.WaitGroup
	for i, n := range nodes {
		starting.Go(func() { errs[i] = n.start(ctx) })
	}
	starting.Wait()
	return errors.Join(errs...)
}

// trouble has publishers at work for so long, while everything fails in turn. In
// five minutes the link is cut every 20 to 60 s, and a node upstream is killed
// every 50 s.
func trouble(ctx context.Context, span time.Duration, r *relay, p *link.Proxy, nodes []*node, a *acknowledged) error {
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var tasks sync.WaitGroup
	errs := make([]error, 3)
	tasks.Go(func() { errs[0] = r.live(ctx); cancel() })
	tasks.Go(func() { errs[1] = cutAgain(ctx, p, span) })
	tasks.Go(func() { errs[2] = killInTurn(ctx, nodes, span/6) })
	for name := range publishers {
		tasks.Go(func() { publish(ctx, name, r.port, a) })
	}
	tasks.Wait()
	return errors.Join(errs...)
}

func cutAgain(ctx context.Context, p *link.Proxy, span time.Duration) error {
	for how := link.Reset; pause(ctx, between(span/15, span/5)); how = (how + 1) % 3 {
		if err := p.Cut(ctx, how, between(2*time.Second, 10*time.Second)); err != nil {
			return err
		}
	}
	return nil
}

// killInTurn kills one node after the other, each for two seconds.
func killInTurn(ctx context.Context, nodes []*node, every time.Duration) error {
	for i := 0; pause(ctx, every); i++ {
		n := nodes[i%len(nodes)]
		n.kill()
		n.kills++
		pause(ctx, 2*time.Second)
		if err := n.start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// soakBridges soaks a bridge to each upstream at the same time, or to only one.
// They wait for their links, not for each other.
func soakBridges(ctx context.Context, only string, span time.Duration) error {
	if only != "" && upstreams[only] == nil {
		return errors.New("-upstream is mosquitto, nats or rabbitmq")
	}
	errs := make([]error, len(upstreams))
	var soaking sync.WaitGroup
	for i, name := range slices.Sorted(maps.Keys(upstreams)) {
		if only == "" || only == name {
			soaking.Go(func() { errs[i] = soakBridge(ctx, name, span) })
		}
	}
	soaking.Wait()
	return errors.Join(errs...)
}
