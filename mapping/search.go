package mapping

import "sluice/drivers/modbus"

// Search finds out why a device refuses to read the points of a block in one
// request, by bisection: which hole, which point, or how many registers are too
// many. It asks for one block after the other and is told whether the device
// refused; a block of 125 points takes 9 requests.
type Search struct {
	unit   modbus.UnitID
	points []*Point
	lo, hi int // the points up to lo can be read together, those up to hi cannot
	alone  bool
	found  *Finding
}

// Finding is what a Search has found.
type Finding struct {
	Table Table
	Point *Point // refused even by itself; nil if it is not that
	Most  int    // registers or bits the device takes at once; 0 if it is not that
	Wall  Wall   // not to be reached over again, unless it is Most
}

// NewSearch begins with a block that the device has refused, of two points or
// more.
func NewSearch(b *Block) *Search {
	return &Search{unit: b.Request.Unit, points: b.Points(), lo: -1, hi: len(b.points) - 1}
}

// Next returns the block to ask for; none once the reason is found.
func (s *Search) Next() (Block, bool) {
	switch {
	case s.found != nil:
		return Block{}, false
	case s.hi-s.lo > 1:
		return newBlock(s.unit, s.points[:s.middle()+1]), true
	case !s.alone:
		return newBlock(s.unit, s.points[s.hi:s.hi+1]), true
	default:
		return newBlock(s.unit, s.points[s.lo:s.hi+1]), true
	}
}

func (s *Search) middle() int { return (s.lo + s.hi) / 2 }

// Tell takes the outcome of the request for Next. Once the reason is found it
// returns it.
func (s *Search) Tell(refused bool) (Finding, bool) {
	switch {
	case s.hi-s.lo > 1 && refused:
		s.hi = s.middle()
	case s.hi-s.lo > 1:
		s.lo = s.middle()
	case !s.alone:
		s.toldAlone(refused)
	default:
		s.toldPair(refused)
	}
	if s.hi == 0 { // the first point by itself was what was refused
		s.blame(s.points[0])
	}
	if s.found == nil {
		return Finding{}, false
	}
	return *s.found, true
}

// toldAlone takes whether the point is refused that made the difference. If not,
// it is what lies before it, or the sum of registers.
func (s *Search) toldAlone(refused bool) {
	s.alone = true
	switch {
	case refused:
		s.blame(s.points[s.hi])
	case s.lo == 0: // the two of them are what was refused
		s.toldPair(true)
	}
}

func (s *Search) toldPair(refused bool) {
	next := s.points[s.hi]
	table := next.Register.Table
	if !refused {
		good := newBlock(s.unit, s.points[:s.hi])
		s.found = &Finding{Table: table, Most: int(good.Request.Count)}
		return
	}
	begin := next.begin()
	s.found = &Finding{Table: table, Wall: Wall{table, min(s.points[s.lo].end(), begin), begin}}
}

func (s *Search) blame(p *Point) {
	s.found = &Finding{Table: p.Register.Table, Point: p, Wall: around(p)}
}
