package transcript

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/drivers/modbus"
)

// Replay answers requests as a transcript has it. Only the very requests in it are
// known; one that occurs several times gets its answers in their order, and then
// from the first on again. It is not safe for concurrent use.
type Replay struct {
	framing modbus.Framing
	known   map[string]*answers
	unknown map[string]int // how often, by request
}

// maxUnknown bounds the requests that are remembered for not being known.
const maxUnknown = 1000

// answers are what one request got, each time.
type answers struct {
	all  []Entry // without bytes where there was none
	next int
}

// NewReplay pairs the requests of a transcript with what came before the next one.
func NewReplay(t *Transcript) *Replay {
	r := &Replay{framing: t.Framing, known: map[string]*answers{}, unknown: map[string]int{}}
	for i, e := range t.Entries {
		if e.Kind != Request {
			continue
		}
		key := r.key(e.Bytes)
		if r.known[key] == nil {
			r.known[key] = &answers{}
		}
		r.known[key].all = append(r.known[key].all, answerIn(t.Entries[i+1:]))
	}
	return r
}

// answerIn is the first reply before the next request, with the time until it.
func answerIn(later []Entry) Entry {
	var waited time.Duration
	for _, e := range later {
		waited += e.Gap
		switch e.Kind {
		case Request:
			return Entry{}
		case Reply:
			e.Gap = waited
			return e
		}
	}
	return Entry{}
}

// key is a request without the number that Modbus TCP gives it.
func (r *Replay) key(request []byte) string {
	if r.framing == modbus.TCP && len(request) > 2 {
		request = request[2:]
	}
	return string(request)
}

// Requests is how many different requests it knows.
func (r *Replay) Requests() int { return len(r.known) }

// Unknown are the requests that were not known, as entries whose note says how
// often they came; those of Modbus TCP without their number.
func (r *Replay) Unknown() []Entry {
	var all []Entry
	for _, key := range slices.Sorted(maps.Keys(r.unknown)) {
		all = append(all, Entry{Kind: Request, Bytes: []byte(key), Note: fmt.Sprintf("%d×", r.unknown[key])})
	}
	return all
}

// Answer returns the reply to a request, both whole frames, and how long after the
// request it began; nil when there was none or the request is not known.
func (r *Replay) Answer(request []byte) ([]byte, time.Duration) {
	a := r.known[r.key(request)]
	if a == nil {
		key := r.key(request)
		if _, there := r.unknown[key]; there || len(r.unknown) < maxUnknown {
			r.unknown[key]++
		}
		return nil, 0
	}
	e := a.all[a.next]
	a.next = (a.next + 1) % len(a.all)
	if len(e.Bytes) == 0 {
		return nil, 0
	}
	reply := slices.Clone(e.Bytes)
	if r.framing == modbus.TCP && len(reply) > 2 && len(request) > 2 {
		binary.BigEndian.PutUint16(reply, binary.BigEndian.Uint16(request))
	}
	return reply, e.Gap
}
