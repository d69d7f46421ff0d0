package mapping

import (
	"cmp"
	"slices"
	"time"

	"sluice/drivers/modbus"
)

// What one read may ask for (Modbus Application Protocol V1.1b3, 6.1 to 6.4).
const (
	maxRegisters = 125
	maxBits      = 2000
)

// assumedLatency is what a device is taken to need on top of the silence that
// ends a request, until it has been measured.
const assumedLatency = 20 * time.Millisecond

// Limits are what a device puts up with, as its manual says.
type Limits struct {
	MaxRegisters int // in one request; 0: 125, as the protocol has it
	// MaxGap is how many registers, or bits, that nobody wants may be read between
	// two points. 0: as many as are cheaper than another request; negative: none.
	MaxGap int
}

// Terms are what a plan depends on besides the points.
type Terms struct {
	Line    modbus.Line
	Gap     time.Duration // silence before each request on top of the line's own
	Latency time.Duration // end of a request to the first byte of the reply; 0: not measured yet
	Longest time.Duration // that one request may hold the line where it can be cut; 0: any
	Known   Knowledge     // what the device has been found to refuse
}

// All returns every point of the device, to be planned.
func (d *Device) All() []*Point {
	points := make([]*Point, len(d.Points))
	for i := range d.Points {
		points[i] = &d.Points[i]
	}
	return points
}

// Plan splits points of the device into requests that together hold the line
// for the least time. The points are sorted in place by their registers.
func (d *Device) Plan(points []*Point, t Terms) []Block {
	slices.SortStableFunc(points, func(a, b *Point) int {
		return cmp.Or(cmp.Compare(a.Register.Table, b.Register.Table), cmp.Compare(a.begin(), b.begin()))
	})
	var out []Block
	for len(points) > 0 {
		table := points[0].Register.Table
		n := slices.IndexFunc(points, func(p *Point) bool { return p.Register.Table != table })
		if n < 0 {
			n = len(points)
		}
		for _, part := range cheapest(points[:n], d.rules(table, t)) {
			out = append(out, newBlock(d.Unit, part))
		}
		points = points[n:]
	}
	return out
}

// Time is how long the line is taken by one read of a device on these terms.
func (t Terms) Time(req modbus.Request) time.Duration {
	bits := req.Function == modbus.ReadCoils || req.Function == modbus.ReadDiscreteInputs
	return t.fixed() + time.Duration(req.Count)*t.each(bits)
}

// fixed is what a read costs however little it reads: the silence before it,
// the request, the device's latency, and a reply without data.
func (t Terms) fixed() time.Duration {
	const frames = 8 + 5 // characters of a request and of a reply without data
	latency := t.Latency
	if latency == 0 {
		latency = assumedLatency + t.Line.Silence()
	}
	return t.Line.Chars(frames) + t.Line.Silence() + t.Gap + latency
}

// each is what a register or a bit costs on top.
func (t Terms) each(bits bool) time.Duration {
	if bits {
		return t.Line.Chars(1) / 8
	}
	return t.Line.Chars(2)
}

// rules are what the parts of a plan in one table cost and must keep to.
type rules struct {
	fixed, each time.Duration
	most        int // registers or bits in one read
	gap         int // of them that nobody wants, between two points
	walls       []Wall
}

func (d *Device) rules(table Table, t Terms) rules {
	r := rules{fixed: t.fixed(), each: t.each(table.Bits()), most: maxRegisters, gap: maxBits, walls: t.Known.in(table)}
	if d.Limits.MaxRegisters > 0 {
		r.most = d.Limits.MaxRegisters
	}
	if table.Bits() {
		r.most = maxBits
	}
	if learned := t.Known.Most[table]; learned > 0 {
		r.most = min(r.most, learned)
	}
	if t.Longest > 0 {
		r.most = min(r.most, max(1, int((t.Longest-r.fixed)/r.each)))
	}
	switch {
	case d.Limits.MaxGap < 0:
		r.gap = 0
	case d.Limits.MaxGap > 0:
		r.gap = d.Limits.MaxGap
	}
	return r
}

// cheapest partitions points, sorted by address in one table, so that reading
// every part takes the least time: the shortest path over the places where a
// part may end. Reading a hole is cheaper than a further request as long as its
// registers take less time than the request's fixed part. A point that breaks
// the rules by itself gets a part of its own.
func cheapest(points []*Point, r rules) [][]*Point {
	best := make([]time.Duration, len(points)+1) // best[j]: reading the first j points
	from := make([]int, len(points)+1)           // where the last part of that begins
	for j := 1; j <= len(points); j++ {
		best[j] = -1
		end := 0
		for i := j - 1; i >= 0; i-- {
			end = max(end, points[i].end())
			if i < j-1 && !r.joins(points[i], points[i+1], end) {
				break
			}
			span := end - points[i].begin()
			if t := best[i] + r.fixed + time.Duration(span)*r.each; best[j] < 0 || t < best[j] {
				best[j], from[j] = t, i
			}
		}
	}
	var parts [][]*Point
	for j := len(points); j > 0; j = from[j] {
		parts = append(parts, points[from[j]:j])
	}
	slices.Reverse(parts)
	return parts
}

// joins reports whether a part that ends at end may begin with p instead of its
// neighbour next.
func (r *rules) joins(p, next *Point, end int) bool {
	begin := p.begin()
	if end-begin > r.most || next.begin()-p.end() > r.gap {
		return false
	}
	return !slices.ContainsFunc(r.walls, func(w Wall) bool { return w.stands(begin, end) })
}
