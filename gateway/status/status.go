// Package status is what a gateway knows of itself, as data: one snapshot of every
// part, the events of late, and a stream of both as they change. Package gateway
// fills it; the control socket, the metrics and the command line show it. It knows
// none of the parts.
package status

import "time"

// Snapshot is the state of a gateway at one time. Counters begin with the process.
type Snapshot struct {
	At       time.Time `json:"at"`
	Site     string    `json:"site"`
	Gateway  string    `json:"gateway"`
	Group    string    `json:"group"`
	Version  string    `json:"version"`
	Started  time.Time `json:"started"`
	Ready    bool      `json:"ready"`           // every part runs
	Stuck    []string  `json:"stuck,omitempty"` // parts that make no progress
	Config   Config    `json:"config"`
	Buses    []Bus     `json:"buses"`
	Devices  []Device  `json:"devices"`
	Broker   Broker    `json:"broker"`
	Bridges  []Bridge  `json:"bridges"`
	StateDir Disk      `json:"state_dir"`
}

// Config is the configuration that is in use, and how the last attempt to replace
// it went.
type Config struct {
	File    string    `json:"file"`
	Digest  string    `json:"digest"`
	Loaded  time.Time `json:"loaded"`
	Reloads uint64    `json:"reloads"` // that took effect
	Last    *Reload   `json:"last_reload,omitempty"`
}

// Reload is the outcome of an attempt to replace the configuration.
type Reload struct {
	At      time.Time     `json:"at"`
	OK      bool          `json:"ok"`
	Error   string        `json:"error,omitempty"` // the old configuration stays
	Digest  string        `json:"digest,omitempty"`
	Changes []string      `json:"changes"` // one a line: "device main-meter changed"; empty: there were none
	Took    time.Duration `json:"took_ns"`
}

// Bus is a line, and what was done with it.
type Bus struct {
	ID        string            `json:"id"`
	Place     string            `json:"place"`          // port or address, as the site file has it
	Path      string            `json:"path,omitempty"` // where a serial port was found
	Line      string            `json:"line,omitempty"` // 9600 8N1
	Framing   string            `json:"framing"`
	Open      bool              `json:"open"`
	Opens     uint64            `json:"opens"`
	Error     string            `json:"error,omitempty"` // why the port was last lost or not opened
	Exchanges uint64            `json:"exchanges"`
	Faults    map[string]uint64 `json:"faults"` // exchanges that failed, by fault
	Busy      time.Duration     `json:"busy_ns"`
	Load      float64           `json:"load"` // part of the last seconds that the line was not free; 1 is all there is
	Rate      float64           `json:"rate"` // exchanges a second, of late
	Polls     uint64            `json:"polls"`
	Overruns  uint64            `json:"overruns"`
	Took      Histogram         `json:"took"`            // of exchanges
	Notes     []string          `json:"notes,omitempty"` // what the port is not, of all that was asked for
}

// Histogram counts durations: Counts[i] are those up to Bounds[i] and over the
// bound before; the last one has no bound.
type Histogram struct {
	Bounds []time.Duration `json:"bounds_ns"`
	Counts []uint64        `json:"counts"`
	Sum    time.Duration   `json:"sum_ns"`
}

// Device is a device of the site.
type Device struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Bus      string        `json:"bus"`
	Unit     uint8         `json:"unit"`
	Template string        `json:"template,omitempty"`
	Points   int           `json:"points"`
	State    string        `json:"state"` // online, degraded, offline, unknown
	Since    time.Time     `json:"since,omitzero"`
	LastGood time.Time     `json:"last_good,omitzero"`
	Failing  int           `json:"failing"` // points that could not be read when they were last asked for
	Error    string        `json:"error,omitempty"`
	ErrorAt  time.Time     `json:"error_at,omitzero"`
	Answers  uint64        `json:"answers"`
	Failures uint64        `json:"failures"`
	Response time.Duration `json:"response_ns"` // mean of the latest, to the first byte; 0: not known
	P99      time.Duration `json:"response_p99_ns"`
	Advice   string        `json:"advice,omitempty"`
}

// Broker is the broker on the LAN.
type Broker struct {
	Addresses []string          `json:"addresses"`
	Clients   int               `json:"clients"`
	Retained  int               `json:"retained"`
	Queued    int64             `json:"queued_bytes"` // for subscribers
	Received  uint64            `json:"received"`
	Sent      uint64            `json:"sent"`
	Dropped   uint64            `json:"dropped"`
	Refused   uint64            `json:"refused"`
	Turned    map[string]uint64 `json:"turned_away,omitempty"` // connections and requests, by reason
}

// Bridge is a bridge and its queue.
type Bridge struct {
	ID          string        `json:"id"`
	URL         string        `json:"url"` // of the broker that it is or was connected to
	Connected   bool          `json:"connected"`
	Since       time.Time     `json:"since"`
	Way         int           `json:"way"` // 0 is the first broker
	Error       string        `json:"error,omitempty"`
	ErrorAt     time.Time     `json:"error_at,omitzero"`
	Connections uint64        `json:"connections"` // tried
	Reconnects  uint64        `json:"reconnects"`
	Sent        uint64        `json:"sent"`
	Delivered   uint64        `json:"delivered"`
	Resent      uint64        `json:"resent"`
	Received    uint64        `json:"received"`
	InFlight    int           `json:"in_flight"`
	RTT         time.Duration `json:"rtt_ns"`
	Drain       float64       `json:"drain"`  // messages a second that were acknowledged, of late
	Intake      float64       `json:"intake"` // messages a second that came in
	Oldest      time.Time     `json:"oldest,omitzero"`
	Room        time.Duration `json:"room_ns"` // until the first lane is full at this rate, with nothing going out
	BudgetUsed  int64         `json:"budget_used,omitempty"`
	Budget      int64         `json:"budget,omitempty"`
	Lanes       []Lane        `json:"lanes"`
}

// Lane is a lane of a queue. Appended = Delivered + Overflow + Expired + Damage +
// Dead + Messages.
type Lane struct {
	Name      string    `json:"name"`
	Messages  uint64    `json:"messages"` // waiting
	Bytes     int64     `json:"bytes"`
	MaxBytes  int64     `json:"max_bytes"`
	Oldest    time.Time `json:"oldest,omitzero"`
	Appended  uint64    `json:"appended"`
	Delivered uint64    `json:"delivered"`
	Overflow  uint64    `json:"lost_overflow"`
	Expired   uint64    `json:"lost_age"`
	Damage    uint64    `json:"lost_damage"`
	Dead      uint64    `json:"dead"`
	Refused   uint64    `json:"refused"`
	Error     string    `json:"error,omitempty"` // why nothing can be written
}

// Messages is how many wait in all lanes.
func (b Bridge) Messages() (n uint64) {
	for _, l := range b.Lanes {
		n += l.Messages
	}
	return n
}

// Disk is the filesystem of the state folder.
type Disk struct {
	Path string `json:"path"`
	Free int64  `json:"free_bytes"` // for us
	Size int64  `json:"size_bytes"`
	Low  bool   `json:"low"` // so little is free that queues no longer grow
}
