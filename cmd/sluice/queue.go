package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/bridge/queue"
	"sluice/gateway"
	"sluice/gateway/config"
	"sluice/gateway/control"
)

// queueArgs is the command line behind sluice queue VERB.
type queueArgs struct {
	site, state string
	json        bool
	frames      bool
	from        uint64
	n           int
	before      uint64
	all         bool
	bridge      string
	lane        string
	reach       reach
}

// queueVerb is one word after sluice queue.
type queueVerb struct {
	words int // that follow: 0, or BRIDGE, or BRIDGE/LANE
	run   func(ctx context.Context, a queueArgs, t terminal) error
}

// Words that a verb wants.
const (
	noWord = iota
	wantsBridge
	wantsLane
)

func queueVerbs() map[string]queueVerb {
	return map[string]queueVerb{
		"ls":     {noWord, listQueues},
		"stats":  {noWord, statQueues},
		"show":   {wantsLane, showQueue},
		"export": {wantsLane, exportQueue},
		"dead":   {wantsBridge, showDead},
		"drop":   {wantsLane, dropQueue},
		"resend": {wantsBridge, resendDead},
	}
}

func runQueue(ctx context.Context, args []string, t terminal) error {
	var a queueArgs
	f := flags("queue")
	f.StringVar(&a.site, "c", defaultSite, "")
	f.StringVar(&a.state, "state", "", "")
	f.BoolVar(&a.json, "json", false, "")
	f.BoolVar(&a.frames, "frames", false, "")
	f.Uint64Var(&a.from, "from", 0, "")
	f.IntVar(&a.n, "n", 0, "")
	f.Uint64Var(&a.before, "before", 0, "")
	f.BoolVar(&a.all, "all", false, "")
	a.reach.add(f)
	words, err := parseMixed(f, args)
	if err != nil {
		return helpOn(err, "queue", t)
	}
	if len(words) == 0 {
		return usage("queue needs a word more", "run `sluice help queue`: ls, stats, show, export, dead, drop or resend")
	}
	a.reach.site, a.reach.state = a.site, a.state
	verb, ok := queueVerbs()[words[0]]
	if !ok {
		return usage("there is no `sluice queue %s`", "run `sluice help queue`: ls, stats, show, export, dead, drop or resend", words[0])
	}
	if err := a.name(words, verb.words); err != nil {
		return err
	}
	a.state = stateDir(a.state, a.site)
	return verb.run(ctx, a, t)
}

// name takes BRIDGE or BRIDGE/LANE from the words behind the verb.
func (a *queueArgs) name(words []string, wants int) error {
	rest := words[1:]
	if wants == noWord && len(rest) == 0 {
		return nil
	}
	if wants == noWord || len(rest) != 1 {
		return usage("queue %s takes %s", "run `sluice help queue`", words[0],
			[]string{"no name", "the name of a bridge", "a lane: BRIDGE/LANE"}[wants])
	}
	var hasLane bool
	a.bridge, a.lane, hasLane = strings.Cut(rest[0], "/")
	if hasLane != (wants == wantsLane) {
		return usage("queue %s takes %s", "run `sluice queue ls` for those there are", words[0],
			[]string{"no name", "the name of a bridge", "a lane: BRIDGE/LANE"}[wants])
	}
	return nil
}

// queues returns the names of the bridges that have a queue.
func (a *queueArgs) queues() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(a.state, "queue"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint(err, "name the state folder: -state FOLDER, or the site file beside it: -c FILE")
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// peek opens the lanes of the bridge for reading, and closes them after use.
func (a *queueArgs) peek(bridge string, use func(lanes []queue.Peeked) error) error {
	lanes, err := queue.Peek(gateway.QueueDir(a.state, bridge))
	if errors.Is(err, fs.ErrNotExist) {
		return hint(err, "`sluice queue ls` lists the bridges that have one; -state or -c say where to look")
	} else if err != nil {
		return err
	}
	defer func() {
		for _, l := range lanes {
			l.Close()
		}
	}()
	return use(lanes)
}

// peekLane does so with one lane.
func (a *queueArgs) peekLane(use func(queue.Peeked) error) error {
	return a.peek(a.bridge, func(lanes []queue.Peeked) error {
		i := slices.IndexFunc(lanes, func(l queue.Peeked) bool { return l.Name == a.lane })
		if i < 0 {
			return usage("bridge %s has no lane %q", "lanes are alarm, telemetry, bulk and dead", a.bridge, a.lane)
		}
		return use(lanes[i])
	})
}

// open opens the queue of the bridge to change it, which no other program may do
// meanwhile.
func (a *queueArgs) open(t terminal, use func(*queue.Queue) error) (err error) {
	cfg, err := load(config.LoadForDesk, a.site, t)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(cfg.Bridges, func(b config.Bridge) bool { return b.ID == a.bridge })
	if i < 0 {
		return usage("%s has no bridge %q", "run `sluice queue ls` for those there are", a.site, a.bridge)
	}
	q, err := queue.Open(gateway.QueueConfig(cfg.Bridges[i], a.state), t.logger(slog.LevelError))
	if errors.Is(err, queue.ErrLocked) {
		return err
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	return use(q)
}

func dropQueue(ctx context.Context, a queueArgs, t terminal) error {
	if a.all == (a.before > 0) {
		return usage("queue drop wants to know which messages", "-before N gives up those numbered below N, -all every one")
	}
	given, thrown := "%s given up, counted as lost; upstream will be told\n", "%s thrown away\n"
	err := a.open(t, func(q *queue.Queue) error {
		if a.lane == "dead" {
			n, err := q.DropDead(func(l queue.Letter) bool { return a.all || uint64(l.Number) < a.before })
			fmt.Fprintf(t.out, thrown, count(n, "dead letter", "dead letters"))
			return err
		}
		if !slices.Contains(queue.Names(), queue.Name(a.lane)) {
			return usage("bridge %s has no lane %q", "lanes are alarm, telemetry, bulk and dead", a.bridge, a.lane)
		}
		lane := q.Lane(queue.Name(a.lane))
		upTo := queue.Seq(a.before)
		if a.all {
			upTo = lane.End()
		}
		n, err := lane.Drop(upTo)
		fmt.Fprintf(t.out, given, count(int(n), "message", "messages"))
		return err
	})
	if !errors.Is(err, queue.ErrLocked) {
		return err
	}
	return a.through(err, func(c *control.Client) error {
		n, err := c.Drop(ctx, a.bridge, a.lane, a.before)
		switch {
		case err != nil:
		case a.lane == "dead":
			fmt.Fprintf(t.out, thrown, count(int(n), "dead letter", "dead letters"))
		default:
			fmt.Fprintf(t.out, given, count(int(n), "message", "messages"))
		}
		return err
	})
}

// through has the gateway that runs change its queue, which is locked.
func (a *queueArgs) through(locked error, do func(*control.Client) error) error {
	c := a.reach.gateway()
	defer c.Close()
	err := do(c)
	if errors.Is(err, control.ErrNobody) {
		return hint(locked, "ls, stats, show, export and dead work beside it; the others do where a gateway answers on %s", a.reach.path())
	}
	return a.reach.explain(err)
}

func resendDead(ctx context.Context, a queueArgs, t terminal) error {
	done := "%s back in the queue\n"
	err := a.open(t, func(q *queue.Queue) error {
		n, err := q.Resend(ctx, func(l queue.Letter) bool { return a.from == 0 || uint64(l.Number) == a.from })
		fmt.Fprintf(t.out, done, count(n, "dead letter", "dead letters"))
		return err
	})
	if !errors.Is(err, queue.ErrLocked) {
		return err
	}
	return a.through(err, func(c *control.Client) error {
		n, err := c.Resend(ctx, a.bridge, a.from)
		if err == nil {
			fmt.Fprintf(t.out, done, count(int(n), "dead letter", "dead letters"))
		}
		return err
	})
}
