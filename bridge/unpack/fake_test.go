package unpack_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"sluice/bridge/unpack"
	"sluice/bridge/upstream"
	"sluice/broker/topic"
)

var errKilled = errors.New("killed")

// fate ends the process, or a connection, at one step between the two brokers and
// the unpacker: before the broker does what is asked, or after.
type fate struct {
	at    int // step, counted from 1; 0: never
	steps int
	err   error
}

// step does what is asked unless its time has come.
func (f *fate) step(do func()) error {
	f.steps++
	switch f.at {
	case 2*f.steps - 1:
		return f.err
	case 2 * f.steps:
		do()
		return f.err
	}
	do()
	return nil
}

// origin is the broker that keeps envelopes until they are acknowledged.
type origin struct {
	*fate
	waiting [][]byte
	end     context.CancelFunc // called when none waits any more
	next    int
}

func (o *origin) connect(context.Context) (unpack.Source, error) {
	o.next = 0
	return o, nil
}

func (o *origin) Next(time.Duration) (upstream.Delivery, bool, error) {
	if o.next == len(o.waiting) {
		o.end()
		return upstream.Delivery{}, false, io.EOF
	}
	o.next++
	return upstream.Delivery{Message: topic.Message{Payload: o.waiting[o.next-1], QoS: 1}}, true, nil
}

func (o *origin) Ack(upstream.Delivery) error {
	return o.step(func() {
		o.waiting = slices.Delete(o.waiting, 0, 1)
		o.next--
	})
}

func (o *origin) Ping() error { return nil }
func (o *origin) Close()      {}

// target is a broker with QoS 2. What it has passed on is in got.
type target struct {
	*fate
	atOnce  bool // passes on at PUBLISH, else at PUBREL
	session map[uint16]topic.Message
	exists  bool
	got     []topic.Message
	poison  string // payload that it hangs up on
	evicted int    // connections still to end by the first thing that is asked
}

func (d *target) connect(_ context.Context, clean bool) (unpack.Sink, bool, error) {
	kept := d.exists && !clean
	if !kept {
		d.session = map[uint16]topic.Message{}
	}
	d.exists = true
	return d, kept, nil
}

func (d *target) Publish(qos byte, batch []upstream.Numbered) error {
	if d.Ping() != nil {
		return io.EOF
	}
	for i, m := range batch {
		if d.poison != "" && string(m.Payload) == d.poison {
			return io.EOF
		}
		take := func() {
			if _, known := d.session[m.ID]; known {
				return
			}
			if qos == 2 {
				d.session[m.ID] = m.Message
			}
			if qos == 1 || d.atOnce {
				d.got = append(d.got, m.Message)
			}
			if len(d.session) > 20 {
				panic("more than a broker takes between PUBLISH and PUBREL")
			}
		}
		if i < 2 || i == len(batch)-1 { // the others are like these
			if err := d.step(take); err != nil {
				return err
			}
		} else {
			take()
		}
	}
	return nil
}

func (d *target) Release(ids []uint16) error {
	for i, id := range ids {
		free := func() {
			if m, known := d.session[id]; known && !d.atOnce {
				d.got = append(d.got, m)
			}
			delete(d.session, id)
		}
		if i < 2 || i == len(ids)-1 {
			if err := d.step(free); err != nil {
				return err
			}
		} else {
			free()
		}
	}
	return nil
}

func (d *target) Ping() error {
	if d.evicted > 0 {
		d.evicted--
		return io.EOF
	}
	return nil
}

func (d *target) Close() {}
