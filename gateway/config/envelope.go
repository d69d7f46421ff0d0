package config

import (
	"time"

	"sluice/broker/topic"
	"sluice/mapping"
)

// Envelope is how messages travel upstream together.
type Envelope struct {
	To   string        // topic upstream; empty: each message travels by itself
	From string        // the gateway
	Age  time.Duration // longest wait of a message for others
	Size int           // bytes of an envelope
}

// Limits and defaults of envelopes.
const (
	minEnvelopeAge, maxEnvelopeAge   = 100 * time.Millisecond, time.Hour
	minEnvelopeSize, maxEnvelopeSize = 1 << 10, 128 << 10
)

func (r *reader) envelope(n mapping.Node) Envelope {
	if !n.Present() {
		return Envelope{}
	}
	m := n.Map("to", "age", "size")
	e := Envelope{
		To:   "envelopes/" + r.gateway,
		From: r.gateway,
		Age:  m.Get("age").Duration(minEnvelopeAge, maxEnvelopeAge, 10*time.Second),
		Size: int(m.Get("size").Size(minEnvelopeSize, maxEnvelopeSize, 16<<10)),
	}
	to := m.Get("to")
	if !to.Present() {
		return e
	}
	e.To = r.expand(to)
	if err := topic.CheckName(e.To); err != nil {
		to.Problem("write a topic, e.g. \"envelopes/{gateway}\"", "%q: %s", to.Text(), err)
	}
	return e
}
