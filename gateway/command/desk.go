package command

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"sluice/mapping"
	"sluice/mapping/point"
)

// desk is where the commands to one device are carried out.
type desk struct {
	Device
	commander *Commander
	inbox     chan received
	log       *slog.Logger
}

// run handles one command after the other until ctx is cancelled.
func (k *desk) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-k.inbox:
			k.handle(ctx, r)
		}
	}
}

// handle brings one command to its result, and tells it.
func (k *desk) handle(ctx context.Context, r received) {
	o, err := parse(r.Payload)
	if old := k.commander.cfg.Journal.result(r.Topic, o.id); old != nil {
		k.commander.tell(ctx, r.Topic, *old)
		return
	}
	var out Result
	if err != nil {
		out = result(Rejected, "%v", err)
	} else {
		out = k.decide(ctx, r, o)
	}
	out.ID = o.id
	if err := k.commander.cfg.Journal.finish(r.Topic, out); err != nil {
		k.log.Error("the result of a command is not remembered", "topic", r.Topic, "id", o.id, "error", err)
	}
	k.log.Info("command", "topic", r.Topic, "id", o.id, "from", origin(r), "value", shortened(o.text), "result", out.Outcome, "reason", out.Reason)
	k.commander.tell(ctx, r.Topic, out)
}

// origin is where a command came from.
func origin(r received) string {
	if r.Origin != "" {
		return r.Origin
	}
	return "lan"
}

// decide carries out an order if it may be.
func (k *desk) decide(ctx context.Context, r received, o order) Result {
	p := k.Points[r.Topic]
	if r.Retain {
		return result(Rejected, "retained commands are not carried out")
	}
	v, err := o.value(p.Kind())
	if err == nil {
		err = p.Write.Check(v)
	}
	if err != nil {
		return result(Rejected, "%v", err)
	}
	left, err := k.left(r, o, p.Write.MaxAge)
	if err != nil {
		return result(Rejected, "%v", err)
	}
	if left <= 0 {
		return result(Expired, "it is too old")
	}
	if k.Offline != nil && k.Offline() {
		return result(Failed, "the device is offline")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, errExpired)
	defer cancel()
	return k.carryOut(ctx, job{topic: r.Topic, id: o.id, point: p, value: v})
}

// left is for how long an order may still go out. Its age counts from when it was
// sent, as far as that is said, else from when it came.
func (k *desk) left(r received, o order, most time.Duration) (time.Duration, error) {
	if o.maxAge > 0 {
		most = min(most, o.maxAge)
	}
	age := time.Since(r.at)
	if o.sent.IsZero() {
		return most - age, nil
	}
	if !k.commander.cfg.Synced() {
		return 0, fmt.Errorf("the gateway's clock is not synchronised, so that the age of the command is not known; leave out ts")
	}
	if age = time.Now().Round(0).Sub(o.sent); age < -most {
		return 0, fmt.Errorf("it was sent %v in the future", -age.Round(time.Millisecond))
	}
	return most - max(age, 0), nil
}

// job is a write that may go out.
type job struct {
	topic, id string
	point     *mapping.Point
	value     point.Value
}
