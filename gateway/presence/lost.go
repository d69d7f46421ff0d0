package presence

import (
	"time"

	"sluice/broker/topic"
)

// loss is the payload of the lost topic.
type loss struct {
	Lane     string `json:"lane"`
	Messages uint64 `json:"messages"`
	From     string `json:"from,omitempty"` // received after this, RFC 3339 with milliseconds
	To       string `json:"to,omitempty"`   // and before this
	At       string `json:"at"`
	Session  string `json:"session"`
	Proto    int    `json:"proto"`
}

// Lost reports that so many messages of a lane will never come: they were
// received between from and to, which are zero when that is not known.
func (p *Presence) Lost(lane string, messages uint64, from, to time.Time) topic.Message {
	text := written(loss{Lane: lane, Messages: messages, From: stamp(from), To: stamp(to),
		At: stamp(time.Now()), Session: p.session, Proto: Proto})
	return topic.Message{Topic: p.below("lost"), Payload: text, QoS: 1}
}

// stamp writes a time, and nothing for the zero time.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
