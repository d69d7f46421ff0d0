// Package envelope is the form in which messages of a lane travel together, over
// links on which every byte costs: one MQTT payload holds a run of numbered
// messages, compressed, and says whose they are, so that whoever unpacks can tell
// each from every other for ever. The bridge seals envelopes, bridge/unpack opens
// them; FORMAT.md is every byte. The package knows neither connections nor queues.
package envelope

import (
	"errors"
	"fmt"

	"sluice/broker/topic"
)

// Bounds of an envelope. No message of a lane is beyond them.
const (
	MaxMessages = 1000
	MaxBody     = 1 << 20 // bytes of all messages, uncompressed
	MaxName     = 64
)

// Errors that callers branch on.
var (
	ErrVersion = errors.New("envelope of an unknown version")
	ErrDamaged = errors.New("not an envelope, or a damaged one")
)

// Source is where messages come from.
type Source struct {
	Gateway, Bridge, Lane string
}

// String returns the source as in logs.
func (s Source) String() string { return s.Gateway + "/" + s.Bridge + "/" + s.Lane }

func (s Source) names() []string { return []string{s.Gateway, s.Bridge, s.Lane} }

// Envelope is a run of messages. Epoch and number together are never given to
// another message of the source.
type Envelope struct {
	Source
	Epoch    uint64
	First    uint64          // number of the first message; the others follow without a gap
	Messages []topic.Message // topic, payload and retain flag
}

// End returns the number behind that of the last message.
func (e *Envelope) End() uint64 { return e.First + uint64(len(e.Messages)) }

// check reports what is not within the bounds.
func (e *Envelope) check() error {
	for _, name := range e.names() {
		if !named(name) {
			return fmt.Errorf("%q is not a name", name)
		}
	}
	n := uint64(len(e.Messages))
	if n == 0 || n > MaxMessages || e.First == 0 || e.First+n < n {
		return fmt.Errorf("%d messages from number %d on", n, e.First)
	}
	return nil
}

// named reports whether a name is one as site files have them, which may also
// stand in file names.
func named(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= MaxName
}
