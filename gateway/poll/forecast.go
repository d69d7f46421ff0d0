package poll

import (
	"slices"
	"strings"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping"
)

// Full is the load above which a line cannot keep every period: what is left is
// needed for repetitions, commands and devices that come back.
const Full = 0.95

// Prospect is what polling a line will take of it, before any device has been
// heard.
type Prospect struct {
	Devices []DeviceProspect // in the order given
	Load    float64          // share of the line's time that all periods need; above 1 they cannot be kept
	High    float64          // the part of Load that is for points of high priority
}

// DeviceProspect is what polling one device will take.
type DeviceProspect struct {
	ID     string
	Blocks []mapping.Block // when everything is due at once
	Times  []time.Duration // that the line is taken by each of them
	Load   float64
}

// Stretch is by how much periods of normal priority will be longer than asked
// for; 1 when all can be kept.
func (p Prospect) Stretch() float64 {
	if p.Load <= Full || p.Load <= p.High {
		return 1
	}
	return (p.Load - p.High) / max(Full-p.High, 0.01)
}

// Forecast plans the polls of a line without carrying them out.
func Forecast(line modbus.Line, gap time.Duration, devices []mapping.Device) Prospect {
	planner := &Poller{cfg: Config{Line: line, Gap: gap}, tightest: tightest(devices)}
	var out Prospect
	for i := range devices {
		d := newDevice(&devices[i], minTimeout)
		terms := planner.terms(d)
		load, high := d.load(terms)
		p := DeviceProspect{ID: d.ID, Load: load, Blocks: d.Plan(d.All(), terms)}
		for _, b := range p.Blocks {
			p.Times = append(p.Times, terms.Time(b.Request))
		}
		out.Devices = append(out.Devices, p)
		out.Load += load
		out.High += high
	}
	return out
}

// Bounds of the time that a forecast looks at: all periods that are shorter than
// the longer one are in it, and as many rounds as the number says.
const (
	foreseen  = time.Hour
	maxRounds = 20000
)

// load is the share of the line that the device's periods need, and the part of
// it for requests with points of high priority. It goes through the rounds of
// the coming time; points that fall due together share requests.
func (d *device) load(t mapping.Terms) (all, high float64) {
	d.begin(time.Time{})
	var periods []time.Duration
	for _, k := range d.tasks {
		if !slices.Contains(periods, k.Interval) {
			periods = append(periods, k.Interval)
		}
	}
	slices.Sort(periods)
	var now time.Duration
	known := map[string][2]time.Duration{}
	var sum [2]time.Duration
	for range maxRounds {
		var round strings.Builder
		next := foreseen
		for _, every := range periods {
			if now%every == 0 {
				round.WriteString(every.String())
			}
			next = min(next, (now/every+1)*every)
		}
		cost, ok := known[round.String()]
		if !ok {
			cost = d.round(now, t)
			known[round.String()] = cost
		}
		sum[0], sum[1] = sum[0]+cost[0], sum[1]+cost[1]
		if now = next; now >= foreseen {
			break
		}
	}
	return sum[0].Seconds() / now.Seconds(), sum[1].Seconds() / now.Seconds()
}

// round is the time of the requests for what is due at that time, and of those
// with points of high priority.
func (d *device) round(now time.Duration, t mapping.Terms) (cost [2]time.Duration) {
	var due []*mapping.Point
	for _, k := range d.tasks {
		if now%k.Interval == 0 {
			due = append(due, k.Point)
		}
	}
	for _, b := range d.Plan(due, t) {
		took := t.Time(b.Request)
		cost[0] += took
		if d.job(b, took).high {
			cost[1] += took
		}
	}
	return cost
}
