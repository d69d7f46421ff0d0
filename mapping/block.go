package mapping

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/point"
)

// Limits of one read (Modbus Application Protocol V1.1b3, 6.1 to 6.4).
const (
	maxRegisters = 125
	maxBits      = 2000
)

// assumedLatency is what a device is taken to need between request and reply
// until it has been measured.
const assumedLatency = 20 * time.Millisecond

// Group is the points of a device that are polled together.
type Group struct {
	Every  time.Duration
	Blocks []Block
}

// Block is one request that covers neighbouring points.
type Block struct {
	Request modbus.Request
	points  []placed
}

// placed is a point of a block and how many registers or bits behind the
// block's start it lies.
type placed struct {
	*Point
	offset int
}

// Points returns the ids of the block's points in the order of their addresses.
func (b *Block) Points() []string {
	ids := make([]string, len(b.points))
	for i, p := range b.points {
		ids[i] = p.ID
	}
	return ids
}

// Groups plans the reads of a device on a line: one group for each interval,
// the shortest first, its blocks chosen so that a poll takes the least bus time.
func (d *Device) Groups(line modbus.Line) []Group {
	intervals := map[time.Duration][]*Point{}
	for i := range d.Points {
		p := &d.Points[i]
		intervals[p.Interval] = append(intervals[p.Interval], p)
	}
	groups := make([]Group, 0, len(intervals))
	for every, points := range intervals {
		groups = append(groups, Group{every, blocks(d.Unit, points, line)})
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(a.Every, b.Every) })
	return groups
}

// blocks splits points into requests, table by table.
func blocks(unit modbus.UnitID, points []*Point, line modbus.Line) []Block {
	slices.SortStableFunc(points, func(a, b *Point) int {
		return cmp.Or(cmp.Compare(a.Register.Table, b.Register.Table), cmp.Compare(a.Register.Address, b.Register.Address))
	})
	var out []Block
	for len(points) > 0 {
		table := points[0].Register.Table
		n := slices.IndexFunc(points, func(p *Point) bool { return p.Register.Table != table })
		if n < 0 {
			n = len(points)
		}
		for _, part := range cheapest(points[:n], costOf(table, line)) {
			out = append(out, newBlock(unit, part))
		}
		points = points[n:]
	}
	return out
}

// cost is the bus time of one read: fixed for the request, its silences, the
// device's latency and the frame of the reply, and each register or bit on top.
type cost struct {
	fixed, each time.Duration
	most        int // registers or bits in one read
}

func costOf(table Table, line modbus.Line) cost {
	const frames = 8 + 5 // characters of a request and of a reply without data
	c := cost{fixed: line.Chars(frames) + 2*line.Silence() + assumedLatency, each: line.Chars(2), most: maxRegisters}
	if table.Bits() {
		c.each, c.most = line.Chars(1)/8, maxBits
	}
	return c
}

// cheapest partitions points, sorted by address in one table, so that reading
// every part takes the least time: the shortest path over the places where a
// part may end. Reading a hole is cheaper than a further request as long as its
// registers take less time than the request's fixed part.
func cheapest(points []*Point, c cost) [][]*Point {
	best := make([]time.Duration, len(points)+1) // best[j]: reading the first j points
	from := make([]int, len(points)+1)           // where the last part of that begins
	for j := 1; j <= len(points); j++ {
		best[j] = -1
		end := 0
		for i := j - 1; i >= 0; i-- {
			end = max(end, int(points[i].Register.Address)+points[i].span())
			span := end - int(points[i].Register.Address)
			if span > c.most && i < j-1 {
				break
			}
			if t := best[i] + c.fixed + time.Duration(span)*c.each; best[j] < 0 || t < best[j] {
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

func newBlock(unit modbus.UnitID, points []*Point) Block {
	first := points[0].Register
	b := Block{points: make([]placed, len(points))}
	end := 0
	for i, p := range points {
		b.points[i] = placed{p, int(p.Register.Address - first.Address)}
		end = max(end, b.points[i].offset+p.span())
	}
	b.Request = modbus.Request{Unit: unit, Function: readFunctions[first.Table], Address: first.Address, Count: uint16(end)}
	return b
}

// Split cuts a block that a device refuses as a whole into two: at its widest
// hole, whose registers may not exist, else in the middle. ok is false for a
// single point.
func (b *Block) Split() (parts [2]Block, ok bool) {
	if len(b.points) < 2 {
		return parts, false
	}
	at, widest, end := len(b.points)/2, 0, 0
	for i, p := range b.points {
		if hole := p.offset - end; i > 0 && hole > widest {
			at, widest = i, hole
		}
		end = max(end, p.offset+p.span())
	}
	for i, points := range [][]placed{b.points[:at], b.points[at:]} {
		plain := make([]*Point, len(points))
		for j, p := range points {
			plain[j] = p.Point
		}
		parts[i] = newBlock(b.Request.Unit, plain)
	}
	return parts, true
}

// readFunctions are the functions that read each table.
var readFunctions = [...]modbus.Function{
	Coil:     modbus.ReadCoils,
	Discrete: modbus.ReadDiscreteInputs,
	Input:    modbus.ReadInputRegisters,
	Holding:  modbus.ReadHoldingRegisters,
}

// AppendReadings decodes the reply to the block's request and appends a reading
// for every point: good, or bad with the reason where the bytes are no value.
// data is what modbus.Client.Do returned, at is when the reply ended.
func (b *Block) AppendReadings(dst []point.Reading, device string, data []byte, at time.Time) []point.Reading {
	for _, p := range b.points {
		r := point.Reading{Device: device, Point: p.ID, Unit: p.Unit, Time: at}
		if v, err := p.decode(data); err != nil {
			r.Quality, r.Reason = point.Bad, err.Error()
		} else {
			r.Value = v
		}
		dst = append(dst, r)
	}
	return dst
}

// Raw returns the bytes of each point in the reply to the block's request, in
// the order of Points: those of its registers, or one byte 0 or 1 for a bit; nil
// where the reply is too short.
func (b *Block) Raw(data []byte) [][]byte {
	raw := make([][]byte, len(b.points))
	for i, p := range b.points {
		raw[i], _ = p.raw(data)
	}
	return raw
}

// AppendBad appends a bad reading with the reason for every point of the block.
func (b *Block) AppendBad(dst []point.Reading, device, reason string, at time.Time) []point.Reading {
	for _, p := range b.points {
		dst = append(dst, point.Reading{Device: device, Point: p.ID, Unit: p.Unit, Quality: point.Bad, Reason: reason, Time: at})
	}
	return dst
}

// decode reads the point from the reply to its block.
func (p placed) decode(data []byte) (point.Value, error) {
	raw, err := p.raw(data)
	switch {
	case err != nil:
		return point.Value{}, err
	case p.Register.Table.Bits():
		return point.BoolValue(raw[0] != 0), nil
	default:
		return p.Layout.Decode(raw)
	}
}

// raw cuts the point out of the reply to its block.
func (p placed) raw(data []byte) ([]byte, error) {
	if p.Register.Table.Bits() {
		if p.offset/8 >= len(data) {
			return nil, errShort
		}
		return []byte{data[p.offset/8] >> (p.offset % 8) & 1}, nil
	}
	from, to := 2*p.offset, 2*(p.offset+p.span())
	if to > len(data) {
		return nil, errShort
	}
	return data[from:to], nil
}

// errShort cannot happen behind a transport that requires the exact length of a
// reply; it keeps a broken one from taking the gateway down.
var errShort = errors.New("reply too short")
