package mapping

import (
	"errors"
	"time"

	"sluice/drivers/modbus"
	"sluice/mapping/layout"
	"sluice/mapping/point"
)

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

// Points returns the block's points in the order of their addresses.
func (b *Block) Points() []*Point {
	points := make([]*Point, len(b.points))
	for i, p := range b.points {
		points[i] = p.Point
	}
	return points
}

func newBlock(unit modbus.UnitID, points []*Point) Block {
	begin, end := points[0].begin(), 0
	b := Block{points: make([]placed, len(points))}
	for i, p := range points {
		b.points[i] = placed{p, int(p.Register.Address) - begin}
		end = max(end, p.end())
	}
	function := readFunctions[points[0].Register.Table]
	b.Request = modbus.Request{Unit: unit, Function: function, Address: uint16(begin), Count: uint16(end - begin)}
	return b
}

// Split cuts a block that a device refuses as a whole into two, for whoever reads
// it once and need not know why: at its widest hole, whose registers may not
// exist, else in the middle. ok is false for a single point.
func (b *Block) Split() (parts [2]Block, ok bool) {
	if len(b.points) < 2 {
		return parts, false
	}
	at, widest, end := len(b.points)/2, 0, 0
	for i, p := range b.points {
		if hole := p.begin() - end; i > 0 && hole > widest {
			at, widest = i, hole
		}
		end = max(end, p.end())
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
// for every point: good, bad with the reason where the bytes are no value, or
// uncertain with the reason where the value is implausible.
// data is what modbus.Client.Do returned, at is when the reply ended.
func (b *Block) AppendReadings(dst []point.Reading, device string, data []byte, at time.Time) []point.Reading {
	for _, p := range b.points {
		r := point.Reading{Device: device, Point: p.ID, Unit: p.Unit, Time: at}
		p.judge(&r, data)
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
		dst = append(dst, p.Bad(device, reason, at))
	}
	return dst
}

// Bad returns a reading of the point that has no value, with the reason.
func (p *Point) Bad(device, reason string, at time.Time) point.Reading {
	return point.Reading{Device: device, Point: p.ID, Unit: p.Unit, Quality: point.Bad, Reason: reason, Time: at}
}

// judge reads the point from the reply to its block, and how far to trust it.
func (p placed) judge(r *point.Reading, data []byte) {
	v, err := p.decode(data)
	r.Value = v
	switch {
	case err != nil && v.Kind() == point.None:
		r.Quality, r.Reason = point.Bad, err.Error()
	case err != nil:
		r.Quality, r.Reason = point.Uncertain, err.Error()
	default:
		if r.Reason = p.Range.doubt(v); r.Reason != "" {
			r.Quality = point.Uncertain
		}
	}
}

// decode reads the point from the reply to its block.
func (p placed) decode(data []byte) (point.Value, error) {
	if p.Register.Table.Bits() {
		return p.bit(data)
	}
	raw, err := p.raw(data)
	if err != nil {
		return point.Value{}, err
	}
	if p.Factor == nil {
		return p.Layout.Decode(raw)
	}
	at := p.offset + int(p.Factor.Register.Address) - int(p.Register.Address)
	factor, err := cut(data, at, p.Factor.Layout.Words())
	if err != nil {
		return point.Value{}, err
	}
	power, err := p.Factor.power(factor)
	if err != nil {
		return point.Value{}, err
	}
	return p.Layout.Shifted(power).Decode(raw)
}

// bit is the coil or discrete input in the reply to its block.
func (p placed) bit(data []byte) (point.Value, error) {
	v, err := layout.Coil(data, p.offset)
	if err != nil {
		return point.Value{}, errShort
	}
	if p.Names != nil {
		return p.Names.Name(int64(v.Float()))
	}
	return v, nil
}

// raw cuts the point out of the reply to its block.
func (p placed) raw(data []byte) ([]byte, error) {
	if p.Register.Table.Bits() {
		v, err := layout.Coil(data, p.offset)
		if err != nil {
			return nil, errShort
		}
		return []byte{byte(v.Float())}, nil
	}
	return cut(data, p.offset, p.span())
}

// cut returns registers of a reply.
func cut(data []byte, at, words int) ([]byte, error) {
	if 2*(at+words) > len(data) {
		return nil, errShort
	}
	return data[2*at : 2*(at+words)], nil
}

// errShort cannot happen behind a transport that requires the exact length of a
// reply; it keeps a broken one from taking the gateway down.
var errShort = errors.New("reply too short")
