package poll

import (
	"slices"
	"time"

	"sluice/mapping"
	"sluice/mapping/point"
)

// device is what the poller knows of a device beyond its plan.
type device struct {
	*mapping.Device
	written *mapping.Device // the device as the site file has it, before it was walked
	decoder *mapping.Decoder
	tasks   []*task
	byPoint map[*mapping.Point]*task
	jobs    []*job    // what is due, in blocks
	next    time.Time // when something else falls due
	hold    time.Time // the device wants to be left alone until then
	busy    int       // times in a row that it said so

	failing  int       // points that could not be read
	failures int       // exchanges without an answer in a row
	since    time.Time // the first of them
	offline  bool
	probes   int  // since it is offline
	probe    *job // what is tried while the device does not answer

	only    *job          // goes before all that is due: a write of OnConnect, or the next of a search
	greeted int           // writes of OnConnect that are done
	walk    *mapping.Walk // under way; nil: not begun
	walks   int           // that found nothing
	later   *job          // the next of them, while others go on
	placed  bool          // the points stand where the device has them
	search  *mapping.Search
	why     error // it began: the exception
	known   mapping.Knowledge

	times   latency
	answers uint64
	advised bool
	shown   UnitStats // guarded by the poller's mutex
}

// task is a point and when it is to be read.
type task struct {
	*mapping.Point
	slot     time.Time     // beginning of the period that is served next
	read     time.Time     // when the last one was served
	latency  time.Duration // of the request it was last read with
	refusals int           // in a row
	failed   bool          // it could not be read when it was last asked for
	last     point.Reading // without a value when it is not good, or has been called stale
	missing  string        // why the device does not have it; empty: it has
}

// job is one request that may go out.
type job struct {
	device   *device
	kind     kind
	block    mapping.Block
	tasks    []*task
	high     bool
	since    time.Time // when it became due
	deadline time.Time // when it should be done
	read     time.Time // when its points were last read
	takes    time.Duration
}

// kind says what a job is for.
type kind uint8

const (
	regular  kind = iota
	looking       // for what the device refuses
	greeting      // a write of OnConnect
	walking       // along the models of a chain
	probing       // whether the device is back
)

func newDevice(d *mapping.Device, least time.Duration) *device {
	out := &device{Device: d, written: d, decoder: mapping.NewDecoder(d), byPoint: map[*mapping.Point]*task{}, shown: UnitStats{Device: d.ID, State: Unknown}, times: latency{least: least}}
	for i := range d.Points {
		t := &task{Point: &d.Points[i]}
		out.tasks = append(out.tasks, t)
		out.byPoint[t.Point] = t
	}
	return out
}

// begin makes everything due.
func (d *device) begin(now time.Time) {
	for _, t := range d.tasks {
		t.slot = now
	}
	d.next = now
	d.greet()
}

// rejoin makes due what fell due while the device did not answer, and everything
// after it was offline, without counting what was missed.
func (d *device) rejoin(start, now time.Time) {
	for _, k := range d.tasks {
		if d.offline || !k.slot.After(now) {
			k.slot = k.period(start, now)
		}
	}
	d.next = now
}

// period is the beginning of the period in progress.
func (k *task) period(start, now time.Time) time.Time {
	return start.Add(now.Sub(start) / k.Interval * k.Interval)
}

// greet makes the next write of OnConnect what the device is asked first.
func (d *device) greet() {
	d.only = nil
	switch {
	case d.greeted < len(d.OnConnect):
		d.only = &job{device: d, kind: greeting}
	case !d.settled():
		d.walk = mapping.NewWalk(d.written)
		d.only = &job{device: d, kind: walking}
	}
}

// settled reports whether what is read of the device means what it should.
func (d *device) settled() bool {
	return d.greeted == len(d.OnConnect) && (d.Chain == nil || d.placed)
}

// move puts the points where the device has them.
func (d *device) move(to *mapping.Device, why []string) {
	if to.MapDigest() != d.MapDigest() {
		d.known = mapping.Knowledge{}
	}
	d.Device, d.placed = to, true
	clear(d.byPoint)
	for i, k := range d.tasks {
		k.Point, k.missing = &to.Points[i], why[i]
		d.byPoint[k.Point] = k
	}
	d.jobs, d.walk = d.jobs[:0], nil
}

// away reports whether the last exchange got no answer, so that no more than one
// request at a time is risked on the device.
func (d *device) away() bool { return d.probe != nil }

// plan looks for points that have fallen due, and plans all that are due anew: so
// those of different periods share requests.
func (d *device) plan(now time.Time, t mapping.Terms) {
	if now.Before(d.next) {
		return
	}
	var due []*mapping.Point
	for _, k := range d.tasks {
		if !k.slot.After(now) && k.missing == "" {
			due = append(due, k.Point)
		}
	}
	d.jobs = d.jobs[:0]
	for _, b := range d.Plan(due, t) {
		d.jobs = append(d.jobs, d.job(b, t.Time(b.Request)))
	}
	d.schedule(now)
}

// schedule notes when something that is not due yet will be.
func (d *device) schedule(now time.Time) {
	d.next = now.Add(time.Hour)
	for _, k := range d.tasks {
		if k.slot.After(now) && k.slot.Before(d.next) {
			d.next = k.slot
		}
	}
}

// job is the request for a block of points that are due.
func (d *device) job(b mapping.Block, takes time.Duration) *job {
	j := &job{device: d, block: b, takes: takes}
	for i, p := range b.Points() {
		k := d.byPoint[p]
		j.tasks = append(j.tasks, k)
		j.high = j.high || k.Priority
		if deadline := k.slot.Add(k.Interval); i == 0 || deadline.Before(j.deadline) {
			j.deadline, j.since = deadline, k.slot
		}
		if i == 0 || k.read.Before(j.read) {
			j.read = k.read
		}
	}
	return j
}

// done moves the points of a job to their next period, in their original phase,
// and returns how many periods have passed without being served: no burst makes
// up for them. A period in progress is still served, late.
func (d *device) done(j *job, start, now time.Time) (missed int) {
	for _, k := range j.tasks {
		served := k.slot
		if k.slot = k.period(start, now); !k.slot.After(served) {
			k.slot = served.Add(k.Interval)
		}
		k.read = now
		missed = max(missed, int(k.slot.Sub(served)/k.Interval)-1)
	}
	d.drop(j, now)
	return missed
}

// drop removes a job whose points have got another time.
func (d *device) drop(j *job, now time.Time) {
	n := len(d.jobs)
	d.jobs = slices.DeleteFunc(d.jobs, func(o *job) bool { return o == j })
	d.schedule(now)
	late := func(k *task) bool { return !k.slot.After(now) }
	if len(d.jobs) == n || slices.ContainsFunc(j.tasks, late) {
		d.next = now // what is due has changed
	}
}

// cheapest is the request that asks least of the device.
func (d *device) cheapest(t mapping.Terms) mapping.Block {
	best := slices.MinFunc(d.tasks, func(a, b *task) int {
		if (a.missing == "") != (b.missing == "") {
			return len(a.missing) - len(b.missing)
		}
		if a.refusals != b.refusals {
			return a.refusals - b.refusals
		}
		return a.Layout.Words() - b.Layout.Words()
	})
	return d.Plan([]*mapping.Point{best.Point}, t)[0]
}

// timeout is how long the answer to a job is waited for: as configured, or less
// when the device and the points asked for are known to be faster. After a
// failure there is more time.
func (d *device) timeout(j *job) time.Duration {
	usual := d.times.timeout()
	if usual == 0 || j.kind == greeting || j.kind == walking {
		return d.Timeout
	}
	for _, k := range j.tasks {
		if k.latency == 0 {
			return d.Timeout
		}
		usual = max(usual, 3*k.latency)
	}
	return min(d.Timeout, usual<<min(d.failures, 2))
}
