package presence

import (
	"encoding/json"
	"time"

	"sluice/broker/topic"
)

// Health is the heartbeat of a gateway: what decides whether somebody has to do
// something. Whoever watches takes a gateway for stale after three that are missing.
type Health struct {
	At       string         `json:"at"`
	Session  string         `json:"session"`
	Every    int            `json:"every"`  // seconds to the next
	Uptime   int64          `json:"uptime"` // seconds since the program began
	Bridges  []BridgeHealth `json:"bridges"`
	Devices  map[string]int `json:"devices"` // how many are in which state
	Buses    []BusHealth    `json:"buses"`
	Host     Host           `json:"host"`
	Problems []string       `json:"problems,omitempty"` // such as "duplicate-id"
}

// BridgeHealth is how a bridge and its queue are.
type BridgeHealth struct {
	ID         string `json:"id"`
	Connected  bool   `json:"connected"`
	Messages   uint64 `json:"messages"`         // that wait
	Bytes      int64  `json:"bytes"`            // of them, on disk
	Oldest     int64  `json:"oldest,omitempty"` // seconds that the first of them has waited
	Lost       uint64 `json:"lost,omitempty"`   // since the queue was made
	Dead       uint64 `json:"dead,omitempty"`
	RTT        int64  `json:"rtt,omitempty"`  // ms
	Rate       int    `json:"rate,omitempty"` // bytes per second that the link carries, as far as known
	Reconnects uint64 `json:"reconnects,omitempty"`
}

// BusHealth is how a bus is.
type BusHealth struct {
	ID     string  `json:"id"`
	Open   bool    `json:"open"`
	Busy   float64 `json:"busy"`   // share of the time since the last heartbeat
	Errors uint64  `json:"errors"` // exchanges that failed since then
}

// Host is how the machine is; what is not known is left out.
type Host struct {
	Load        float64  `json:"load1,omitempty"`
	MemFree     int64    `json:"mem_free,omitempty"`    // bytes
	DiskFree    *float64 `json:"disk_free,omitempty"`   // percent, where the queue is
	Temperature *float64 `json:"temperature,omitempty"` // °C
}

// Health is the message of the heartbeat.
func (p *Presence) Health(h Health) topic.Message {
	h.At, h.Session = now(), p.session
	return topic.Message{Topic: p.below("health"), Payload: written(h), QoS: 1, Retain: true}
}

// alarm is what nobody should wait for.
type alarm struct {
	Alarm   string `json:"alarm"`
	Other   string `json:"other,omitempty"` // session that is the cause
	At      string `json:"at"`
	Session string `json:"session"`
	Proto   int    `json:"proto"`
}

func (p *Presence) alarm(what, other string, at time.Time) topic.Message {
	text := written(alarm{Alarm: what, Other: other, At: stamp(at), Session: p.session, Proto: Proto})
	return topic.Message{Topic: p.below("alarm"), Payload: text, QoS: 1}
}

// below is a topic of this gateway.
func (p *Presence) below(name string) string {
	return "fleet/" + p.cfg.Group + "/" + p.cfg.Gateway + "/" + name
}

// written is v as JSON; what is said here always can be.
func written(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("presence: cannot be written as JSON: " + err.Error())
	}
	return text
}
