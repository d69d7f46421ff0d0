package journal

import (
	"cmp"
	"slices"
)

// span is the ordinals from from up to, but not including, to.
type span struct{ from, to uint64 }

// progress is how far a session has come with its messages.
type progress struct {
	last     uint64   // the highest ordinal given
	sent     uint64   // the highest one sent, as of the last disconnection
	cursor   uint64   // all below are settled; from 1
	ahead    []span   // settled behind it, apart from each other
	released []uint64 // not settled, but the client has them (QoS 2); sorted
}

func (p *progress) settled(ordinal uint64) bool {
	if ordinal < p.cursor {
		return true
	}
	i := p.spanAfter(ordinal)
	return i > 0 && ordinal < p.ahead[i-1].to
}

// spanAfter returns the index of the first span that begins after ordinal.
func (p *progress) spanAfter(ordinal uint64) int {
	i, _ := slices.BinarySearchFunc(p.ahead, ordinal+1, func(s span, o uint64) int { return cmp.Compare(s.from, o) })
	return i
}

// settle takes note that the session is done with an ordinal.
func (p *progress) settle(ordinal uint64) {
	if p.settled(ordinal) {
		return
	}
	if i, ok := slices.BinarySearch(p.released, ordinal); ok {
		p.released = slices.Delete(p.released, i, i+1)
	}
	i := p.spanAfter(ordinal)
	joins := i < len(p.ahead) && p.ahead[i].from == ordinal+1
	switch {
	case i > 0 && p.ahead[i-1].to == ordinal:
		p.ahead[i-1].to++
		if joins {
			p.ahead[i-1].to = p.ahead[i].to
			p.ahead = slices.Delete(p.ahead, i, i+1)
		}
	case joins:
		p.ahead[i].from--
	default:
		p.ahead = slices.Insert(p.ahead, i, span{ordinal, ordinal + 1})
	}
	if p.ahead[0].from == p.cursor {
		p.cursor = p.ahead[0].to
		p.ahead = slices.Delete(p.ahead, 0, 1)
	}
}

func (p *progress) release(ordinal uint64) {
	if i, ok := slices.BinarySearch(p.released, ordinal); !ok {
		p.released = slices.Insert(p.released, i, ordinal)
	}
}

// close settles everything up to last that is not open.
func (p *progress) close(open []uint64) {
	slices.Sort(open)
	p.last = max(p.last, p.cursor-1)
	if n := len(open); n > 0 {
		p.last = max(p.last, open[n-1])
	}
	next := progress{last: p.last, sent: p.sent, cursor: p.last + 1}
	if len(open) > 0 {
		next.cursor = open[0]
		for i, o := range open {
			to := p.last + 1
			if i+1 < len(open) {
				to = open[i+1]
			}
			if o+1 < to {
				next.ahead = append(next.ahead, span{o + 1, to})
			}
		}
	}
	for _, o := range p.released {
		if !next.settled(o) {
			next.released = append(next.released, o)
		}
	}
	*p = next
}
