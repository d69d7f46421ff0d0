package sim

import (
	"encoding/binary"
	"slices"
	"time"

	"sluice/drivers/modbus"
	"sluice/drivers/sim/device"
)

// unit is a Unit at work.
type unit struct {
	Unit
	id      modbus.UnitID
	busy    time.Duration // until then it works on a request or replies
	waiting *query        // the request it will work on next
}

// dispatch brings a request to the unit it names, or to all.
func (w *wire) dispatch(at time.Duration, q *query) {
	id := modbus.UnitID(q.body[0])
	if id == modbus.Broadcast && w.bus.cfg.Framing != modbus.TCP {
		for _, u := range w.units {
			device.Answer(u.Device, w.clock(at), q.body[1:])
		}
		return
	}
	switch u := w.units[id]; {
	case u == nil:
	case at >= u.busy:
		w.serve(at, u, q)
	case w.bus.cfg.Framing == modbus.TCP: // which keeps them all
		w.agenda.add(u.busy, func(at time.Duration) { w.dispatch(at, q) })
	case !u.Queue:
		w.bus.counters.missed.Add(1)
	case u.waiting != nil:
		w.bus.counters.missed.Add(1)
		u.waiting = q
	default:
		u.waiting = q
		w.agenda.add(u.busy, func(at time.Duration) {
			next := u.waiting
			u.waiting = nil
			w.serve(at, u, next)
		})
	}
}

// serve lets a unit answer a request.
func (w *wire) serve(at time.Duration, u *unit, q *query) {
	m := w.bus.mishap(u.id)
	pdu := u.answer(w.clock(at), q.body[1:], m)
	if pdu == nil {
		return
	}
	start := at + u.Latency + upTo(w.bus.random, u.Jitter) + m.delay()
	if t := w.reply(at, start, q, m, q.wrap(append([]byte{byte(u.id)}, pdu...))); t != nil {
		u.busy = t.end
	}
}

// reply puts a reply on the line, with what goes wrong with it; nil if nothing is
// sent.
func (w *wire) reply(at, start time.Duration, q *query, m *mishap, adu []byte) *talk {
	adu = m.spoil(adu)
	if m.struck {
		w.bus.counters.faulty.Add(1)
	}
	if len(adu) == 0 {
		return nil
	}
	t := w.talk(start, adu)
	w.drive(at, t)
	w.account(t, modbus.UnitID(q.body[0]), q.body)
	w.receive(t, 0)
	return t
}

// answer is what the unit means to reply: nil for nothing.
func (u *unit) answer(at time.Time, pdu []byte, m *mishap) []byte {
	switch f := modbus.Function(pdu[0]); {
	case slices.Contains(u.Ignores, f):
		return nil
	case slices.Contains(u.Refuses, f):
		return device.Refusal(pdu[0], device.IllegalFunction)
	}
	if refusal := m.refuse(pdu[0]); refusal != nil {
		return refusal
	}
	return device.Answer(u.Device, at, pdu)
}

// account counts a reply, and tells OnReply when it ends.
func (w *wire) account(t *talk, id modbus.UnitID, request []byte) {
	w.bus.counters.replies.Add(1)
	w.bus.counters.replyTime.Add(int64(t.end - t.start))
	if w.bus.cfg.OnReply == nil {
		return
	}
	r := Reply{Unit: id, Function: modbus.Function(request[1]), ADU: t.chars}
	if len(request) >= 4 {
		r.Address = binary.BigEndian.Uint16(request[2:])
	}
	w.agenda.add(t.end, func(at time.Duration) {
		r.At = w.clock(at)
		w.bus.cfg.OnReply(r)
	})
}

// clock is the time of day at an instant of the wire.
func (w *wire) clock(at time.Duration) time.Time { return w.origin.Add(at) }
