package sim

import (
	"math"
	"slices"
	"time"

	"sluice/drivers/modbus"
)

const (
	// sendBuffer is how many characters the host's driver holds before it loses them.
	sendBuffer = 4096
	// tolerance is how much sooner than t3.5 a request may begin: two clocks never
	// agree, and times are rounded to nanoseconds on both sides.
	tolerance = 50 * time.Microsecond
)

// wire is the line while one port is served. Instants are durations since origin.
type wire struct {
	bus     *Bus
	origin  time.Time
	agenda  agenda
	talks   []*talk
	units   map[modbus.UnitID]*unit
	request request
	deliver func([]byte)
}

// request is what the units have heard of the host since the last silence.
type request struct {
	adu     []byte
	end     time.Duration // of the last character
	spoilt  bool          // some of it did not reach the units as it was
	pending bool          // the end of the frame is on the agenda
}

// talk is somebody driving the line.
type talk struct {
	host       bool
	start, end time.Duration
	chars      []byte
	garbled    time.Duration // characters that end later are noise
}

func newWire(b *Bus, deliver func([]byte)) *wire {
	w := &wire{bus: b, origin: time.Now(), deliver: deliver, units: map[modbus.UnitID]*unit{}}
	for id, u := range b.cfg.Units {
		w.units[id] = &unit{Unit: u, id: id}
	}
	return w
}

// pause is the time until something happens.
func (w *wire) pause() time.Duration {
	if len(w.agenda) == 0 {
		return forever
	}
	return max(0, w.agenda[0].at-time.Since(w.origin))
}

// advance brings the wire to the present, in which the host wrote something or
// nothing.
func (w *wire) advance(written []byte) {
	now := time.Since(w.origin)
	w.agenda.advance(now)
	if len(written) > 0 {
		w.write(now, written)
	}
}

// write puts characters of the host on the line, after those it wrote before.
func (w *wire) write(now time.Duration, p []byte) {
	line, r := w.bus.cfg.Line, &w.request
	start := max(now, r.end)
	if !r.pending {
		w.beginRequest(start)
	}
	if room := sendBuffer - int((start-now)/line.Chars(1)); len(p) > room {
		p, r.spoilt = p[:max(0, room)], true
	}
	t := w.talk(start, slices.Clone(p))
	t.host = true
	w.drive(now, t)
	w.bus.counters.requestTime.Add(int64(t.end - t.start))
	r.end = t.end

	m := w.bus.mishap(modbus.Broadcast)
	if m.strikes(m.Echo) {
		w.receive(t, 0)
	}
	if w.bus.cfg.Framing != modbus.RTU {
		r.adu = append(r.adu, m.flip(slices.Clone(p))...)
		w.cut(t.end)
		return
	}
	if len(r.adu)+len(p) > maxRTU {
		r.spoilt = true
		return
	}
	r.adu = append(r.adu, m.flip(slices.Clone(p))...)
}

// cut takes the frames that have arrived whole, where they say so themselves.
func (w *wire) cut(at time.Duration) {
	r := &w.request
	for {
		from, size := frameIn(w.bus.cfg.Framing, r.adu)
		if size == 0 {
			r.adu = r.adu[from:]
			return
		}
		adu, spoilt := slices.Clone(r.adu[from:from+size]), r.spoilt
		r.adu, r.spoilt = r.adu[from+size:], false
		w.agenda.add(at, func(at time.Duration) { w.heard(at, adu, spoilt) })
	}
}

// beginRequest starts listening to a frame, and checks the silence before it.
func (w *wire) beginRequest(start time.Duration) {
	if w.bus.cfg.Framing != modbus.RTU {
		w.request.end = start
		w.request.spoilt = w.request.spoilt && len(w.request.adu) > 0
		return
	}
	w.request = request{pending: true, end: start}
	if w.silence(start) < w.bus.cfg.Line.Silence()-tolerance {
		w.bus.counters.shortSilences.Add(1)
		w.request.spoilt = w.bus.cfg.Strict
	}
	w.agenda.add(start+w.bus.cfg.Line.Silence(), w.endRequest)
}

// endRequest hands the frame to the units, unless the host has gone on.
func (w *wire) endRequest(at time.Duration) {
	if end := w.request.end + w.bus.cfg.Line.Silence(); at < end {
		w.agenda.add(end, w.endRequest)
		return
	}
	r := w.request
	w.request = request{end: r.end}
	w.heard(at, r.adu, r.spoilt)
}

// heard takes a frame that has ended.
func (w *wire) heard(at time.Duration, adu []byte, spoilt bool) {
	w.bus.counters.requests.Add(1)
	q, ok := unwrap(w.bus.cfg.Framing, adu)
	if spoilt || !ok {
		w.bus.counters.damaged.Add(1)
		return
	}
	if w.bus.cfg.Answer != nil {
		w.answer(at, adu, q)
		return
	}
	w.dispatch(at, q)
}

// answer has Config.Answer reply to a request that has just ended.
func (w *wire) answer(at time.Duration, adu []byte, q *query) {
	reply, after := w.bus.cfg.Answer(adu)
	if len(reply) == 0 {
		return
	}
	m := w.bus.mishap(modbus.UnitID(q.body[0]))
	if refusal := m.refuse(q.body[1]); refusal != nil {
		reply = q.wrap(append([]byte{q.body[0]}, refusal...))
	}
	w.reply(at, max(at, w.request.end+after)+m.delay(), q, m, slices.Clone(reply))
}

// talk is characters from start on.
func (w *wire) talk(start time.Duration, chars []byte) *talk {
	return &talk{start: start, end: start + w.bus.cfg.Line.Chars(len(chars)), chars: chars, garbled: math.MaxInt64}
}

// drive enters a talk; where it overlaps another, both are noise. Talks are
// entered as soon as they are certain, so that no event is needed to begin one.
func (w *wire) drive(now time.Duration, t *talk) {
	quiet := w.bus.cfg.Line.Silence()
	w.talks = slices.DeleteFunc(w.talks, func(o *talk) bool { return o.end+quiet < now })
	for _, o := range w.talks {
		if from := max(o.start, t.start); from < min(o.end, t.end) && !(o.host && t.host) {
			o.garbled, t.garbled = min(o.garbled, from), min(t.garbled, from)
			w.request.spoilt = w.request.spoilt || o.host || t.host
			w.bus.counters.collisions.Add(1)
		}
	}
	w.talks = append(w.talks, t)
}

// silence is how long the line has been quiet at an instant.
func (w *wire) silence(at time.Duration) time.Duration {
	quiet := time.Duration(math.MaxInt64)
	for _, t := range w.talks {
		if t.start < at {
			quiet = min(quiet, at-t.end)
		}
	}
	return quiet
}

// receive reports the characters of t from the given one on to the host as its
// adapter would.
func (w *wire) receive(t *talk, from int) {
	cfg := &w.bus.cfg
	at, n := cfg.Adapter.report(cfg.Line, t.start+cfg.Line.Chars(from), len(t.chars)-from)
	w.agenda.add(at, func(time.Duration) {
		w.deliver(w.garble(t, from, t.chars[from:from+n]))
		if from+n < len(t.chars) {
			w.receive(t, from+n)
		}
	})
}

// garble returns characters of t, the first of them at index from, as they arrive.
func (w *wire) garble(t *talk, from int, chars []byte) []byte {
	for i := range chars {
		if t.start+w.bus.cfg.Line.Chars(from+i+1) > t.garbled {
			chars[i] ^= byte(1 + w.bus.random.IntN(255))
		}
	}
	return chars
}
